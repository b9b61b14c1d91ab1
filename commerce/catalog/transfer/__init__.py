"""The catalogue as files, Shopify product CSV and JSON Lines: in by `importer`, out by `exporter`."""
