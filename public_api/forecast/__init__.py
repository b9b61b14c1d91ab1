"""Forecasts in REST."""
