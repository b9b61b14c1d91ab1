"""Plans: queries that the database can answer alone are compiled into one statement, whose JSON goes out as it is."""
