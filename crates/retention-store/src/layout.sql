-- The tool's own schema. One file, one layout; every statement may run again.
CREATE SCHEMA IF NOT EXISTS retention;

CREATE TABLE IF NOT EXISTS retention.meta (
  id int PRIMARY KEY CHECK (id = 1),
  layout int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- What every batch looks at under the shared gate lock: a newer run has another fence, a newer hold another epoch.
CREATE TABLE IF NOT EXISTS retention.gate (
  id int PRIMARY KEY CHECK (id = 1),
  fence bigint NOT NULL,
  holds_epoch bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS retention.run (
  run_id text PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  kind text NOT NULL CHECK (kind IN ('run', 'erase')),
  state text NOT NULL CHECK (state IN ('running', 'complete', 'partial', 'residue', 'failed', 'interrupted')),
  fence bigint NOT NULL,
  as_of timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  policy_digest text NOT NULL,
  tool_version text NOT NULL
);

-- The last cutoff that each rule was applied with: a guard compares the next one with it.
CREATE TABLE IF NOT EXISTS retention.cutoff (
  rule text PRIMARY KEY,
  table_name text NOT NULL,
  cutoff timestamptz NOT NULL,
  as_of timestamptz NOT NULL,
  run_id text NOT NULL
);

CREATE TABLE IF NOT EXISTS retention.audit (
  run_id text NOT NULL REFERENCES retention.run,
  seq bigint NOT NULL CHECK (seq > 0),
  rule text NOT NULL,
  table_name text NOT NULL,
  action text NOT NULL,
  rows bigint NOT NULL CHECK (rows >= 0),
  cascaded bigint NOT NULL CHECK (cascaded >= 0),
  cutoff timestamptz,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  policy_digest text NOT NULL,
  strategy text NOT NULL,
  position text,
  link bytea NOT NULL CHECK (pg_catalog.length(link) = 32),
  PRIMARY KEY (run_id, seq)
);

-- A hold on the rows of a table whose column has a value, or on everything of a subject.
CREATE TABLE IF NOT EXISTS retention.hold (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_schema text,
  table_name text,
  column_name text,
  value text NOT NULL,
  reason text NOT NULL,
  placed_by text NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  released_by text,
  released_at timestamptz,
  release_reason text,
  CHECK ((table_schema IS NULL) = (table_name IS NULL) AND (table_name IS NULL) = (column_name IS NULL)),
  CHECK ((released_at IS NULL) = (released_by IS NULL))
);

-- Whoever changes holds, be it by hand, waits for the batches that do not know of it (the number is the gate's lock), keeps
-- new ones out until the transaction ends, and makes them read again. As the owner, since it is no business of who
-- writes holds; always, since a replicated hold is one too.
CREATE OR REPLACE FUNCTION retention.hold_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock(32199697970066533);
  UPDATE retention.gate SET holds_epoch = holds_epoch + 1 WHERE id = 1;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hold_changed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON retention.hold
  FOR EACH STATEMENT EXECUTE FUNCTION retention.hold_changed();
ALTER TABLE retention.hold ENABLE ALWAYS TRIGGER hold_changed;

-- Every batch looks its rows up here. Hash: a value may be longer than a B-tree takes.
CREATE INDEX IF NOT EXISTS hold_active ON retention.hold USING hash (value) WHERE released_at IS NULL;

-- Requests of single subjects. The key is forgotten when the request is done; its MAC stays.
CREATE TABLE IF NOT EXISTS retention.erasure (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject text,
  subject_mac text,
  source text NOT NULL CHECK (source IN ('request', 'table', 'ledger')),
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  completed_at timestamptz,
  run_id text REFERENCES retention.run,
  CHECK ((subject IS NULL) = (completed_at IS NOT NULL))
);

-- A subject that asks twice is erased once.
CREATE UNIQUE INDEX IF NOT EXISTS erasure_pending ON retention.erasure (subject)
  WHERE completed_at IS NULL;

CREATE TABLE IF NOT EXISTS retention.receipt (
  number bigint PRIMARY KEY CHECK (number > 0),
  run_id text NOT NULL UNIQUE REFERENCES retention.run,
  sha256 text NOT NULL,
  envelope text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- How much of the external ledger this database has carried out. A database from an old backup is behind.
CREATE TABLE IF NOT EXISTS retention.ledger (
  id int PRIMARY KEY CHECK (id = 1),
  seq bigint NOT NULL,
  link text NOT NULL
);

-- Partitions on their way out: written before DETACH CONCURRENTLY, which cannot be part of a transaction.
CREATE TABLE IF NOT EXISTS retention.detaching (
  partition_oid bigint PRIMARY KEY,
  partition_schema text NOT NULL,
  partition_name text NOT NULL,
  parent_oid bigint NOT NULL,
  rule text NOT NULL,
  drop_it boolean NOT NULL,
  upper_bound timestamptz NOT NULL,
  run_id text NOT NULL REFERENCES retention.run,
  noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

INSERT INTO retention.meta (id, layout) VALUES (1, 1) ON CONFLICT DO NOTHING;
INSERT INTO retention.gate (id, fence, holds_epoch) VALUES (1, 0, 0) ON CONFLICT DO NOTHING;
