#!/bin/sh
# Runs once, when the container of Postgres makes its cluster. The backend gets a role that owns its database
# and nothing else. The superuser keeps no password, so that nobody can log in as it over the network:
#
#   docker compose --profile postgres exec postgres psql -U postgres kgl
set -eu
psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname kgl <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE kgl LOGIN PASSWORD :'password';
ALTER DATABASE kgl OWNER TO kgl;
ALTER SCHEMA public OWNER TO kgl;
CREATE EXTENSION IF NOT EXISTS vector;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
