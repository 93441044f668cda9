-- Ledger format 1: tables, guards, views (DESIGN 3.5; docs/ledger-format.md explains them).
-- Every byte inside a statement counts: the schema digest in each genesis is taken over it. Never edit one.
-- Pragmas are in database.py, because page_size and application_id come before the first table.

CREATE TABLE entry(
  seq    INTEGER PRIMARY KEY   CHECK (json_extract(header,'$.seq') IS seq),
  header TEXT NOT NULL         CHECK (typeof(header)='text' AND length(CAST(header AS BLOB)) < 4096),
  hash   BLOB NOT NULL         CHECK (typeof(hash)='blob' AND length(hash)=32),
  body   TEXT                  CHECK (body IS NULL OR typeof(body)='text'),
  block     INTEGER GENERATED ALWAYS AS (seq >> 12)                              VIRTUAL,
  kind      TEXT    GENERATED ALWAYS AS (json_extract(header,'$.kind'))          VIRTUAL,
  time      TEXT    GENERATED ALWAYS AS (json_extract(header,'$.time'))          VIRTUAL,
  action    TEXT    GENERATED ALWAYS AS (json_extract(header,'$.action'))        VIRTUAL,
  id        TEXT    GENERATED ALWAYS AS (json_extract(header,'$.id'))            VIRTUAL,
  actor     TEXT    GENERATED ALWAYS AS (json_extract(body,'$.subject.actor'))   VIRTUAL,
  target    TEXT    GENERATED ALWAYS AS (json_extract(body,'$.subject.target'))  VIRTUAL,
  trace_id  TEXT    GENERATED ALWAYS AS (json_extract(body,'$.otlp.trace_id'))   VIRTUAL,
  record_id TEXT    GENERATED ALWAYS AS (json_extract(body,'$.audit.record_id')) VIRTUAL
);
CREATE TABLE head(                     -- one row per commit
  size      INTEGER PRIMARY KEY,
  root      BLOB NOT NULL      CHECK (typeof(root)='blob' AND length(root)=32),
  signature BLOB NOT NULL      CHECK (typeof(signature)='blob'),
  epoch     INTEGER NOT NULL   CHECK (typeof(epoch)='integer')   -- seq of the ledger entry that names the key
);
CREATE TABLE node(                     -- Merkle hash of entries [idx*256^level, (idx+1)*256^level), level >= 1
  level INTEGER NOT NULL       CHECK (typeof(level)='integer' AND level BETWEEN 1 AND 7),
  idx   INTEGER NOT NULL       CHECK (typeof(idx)='integer'),
  hash  BLOB NOT NULL          CHECK (typeof(hash)='blob' AND length(hash)=32),
  PRIMARY KEY(level, idx)
) WITHOUT ROWID;

CREATE INDEX entry_time   ON entry(time, id);
CREATE INDEX entry_action ON entry(action, time);
CREATE INDEX entry_actor  ON entry(block, actor)     WHERE actor     IS NOT NULL;
CREATE INDEX entry_target ON entry(block, target)    WHERE target    IS NOT NULL;
CREATE INDEX entry_trace  ON entry(block, trace_id)  WHERE trace_id  IS NOT NULL;
CREATE INDEX entry_record ON entry(block, record_id) WHERE record_id IS NOT NULL;

CREATE TRIGGER entry_insert BEFORE INSERT ON entry
WHEN NEW.body IS NULL
  OR NEW.seq IS NOT coalesce((SELECT seq + 1 FROM entry ORDER BY seq DESC LIMIT 1), 0)
  OR json_extract(NEW.header,'$.prev') IS NOT
     coalesce((SELECT lower(hex(hash)) FROM entry ORDER BY seq DESC LIMIT 1),
              '0000000000000000000000000000000000000000000000000000000000000000')
BEGIN SELECT RAISE(ABORT, 'append only: seq and prev must continue the last entry'); END;

CREATE TRIGGER entry_delete BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'append only: an entry is never deleted'); END;

CREATE TRIGGER entry_update BEFORE UPDATE ON entry
WHEN NOT coalesce(
      NEW.seq IS OLD.seq AND NEW.header IS OLD.header AND NEW.hash IS OLD.hash
  AND OLD.body IS NOT NULL AND NEW.body IS NULL
  AND (json_extract(OLD.header,'$.kind') <> 'ledger'
       OR json_extract(OLD.header,'$.action') IN ('ledger.start','ledger.stop','ledger.heartbeat','ledger.read','ledger.incident'))
  AND EXISTS (
        SELECT 1 FROM entry AS a, json_each(a.body, '$.event.ranges') AS r
         WHERE a.seq IN ((SELECT max(seq) FROM entry WHERE kind = 'ledger' AND action = 'ledger.erase'),
                         (SELECT max(seq) FROM entry WHERE kind = 'ledger' AND action = 'ledger.prune'))
           AND a.seq > OLD.seq
           AND a.seq < (SELECT max(size) FROM head)
           AND CASE WHEN r.type = 'array'
                     AND json_type(r.value,'$[0]') = 'integer' AND json_type(r.value,'$[1]') = 'integer'
                    THEN OLD.seq BETWEEN json_extract(r.value,'$[0]') AND json_extract(r.value,'$[1]')
                    ELSE 0 END), 0)
BEGIN SELECT RAISE(ABORT, 'append only: body may become NULL, nothing else, and only where the newest signed erase or prune entry names the seq'); END;

CREATE TRIGGER head_insert BEFORE INSERT ON head
WHEN NEW.size IS NOT (SELECT max(seq) + 1 FROM entry)
  OR NEW.size <= coalesce((SELECT max(size) FROM head), 0)
BEGIN SELECT RAISE(ABORT, 'append only: a head covers exactly the entries present, once'); END;
CREATE TRIGGER head_update BEFORE UPDATE ON head BEGIN SELECT RAISE(ABORT, 'append only: heads are written once'); END;
CREATE TRIGGER head_delete BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'append only: heads are written once'); END;

CREATE TRIGGER node_insert BEFORE INSERT ON node
WHEN NEW.idx IS NOT coalesce((SELECT max(idx) + 1 FROM node WHERE level = NEW.level), 0)
  OR ((NEW.idx + 1) << (8 * NEW.level)) > (SELECT max(seq) + 1 FROM entry)
BEGIN SELECT RAISE(ABORT, 'append only: nodes are written once, in order, when complete'); END;
CREATE TRIGGER node_update BEFORE UPDATE ON node BEGIN SELECT RAISE(ABORT, 'append only: nodes are written once'); END;
CREATE TRIGGER node_delete BEFORE DELETE ON node BEGIN SELECT RAISE(ABORT, 'append only: nodes are written once'); END;

-- The public face. `timestamp` is `time` itself, so that the index serves it; erased bodies give NULL columns.
CREATE VIEW audit_records AS
SELECT seq, kind, time AS timestamp, json_extract(header,'$.received') AS received_at,
       json_extract(header,'$.service') AS service, json_extract(header,'$.environment') AS environment, actor, json_extract(header,'$.actor_type') AS actor_type,
       action, target, json_extract(header,'$.target_type') AS target_type,
       json_extract(body,'$.audit.change.old') AS old_value, json_extract(body,'$.audit.change.new') AS new_value,
       json_extract(header,'$.outcome') AS outcome, json_extract(body,'$.audit.source.id') AS source_ip,
       coalesce(json_extract(body,'$.otlp.name'), json_extract(body,'$.otlp.event_name')) AS name, json_extract(header,'$.event') AS event,
       json_extract(body,'$.otlp.body') AS message, trace_id, json_extract(body,'$.otlp.span_id') AS span_id, record_id,
       json_extract(header,'$.flags') AS flags, json_extract(header,'$.duplicate_of') AS duplicate_of,
       json_extract(body,'$.attributes') AS attributes, json_extract(body,'$.resource') AS resource, json_extract(body,'$.scope') AS scope,
       body, json_extract(header,'$.prev') AS prev_hash, lower(hex(hash)) AS hash
  FROM entry WHERE kind <> 'ledger' AND json_extract(header,'$.duplicate_of') IS NULL;
CREATE VIEW audit_records_all AS
SELECT seq, kind, time AS timestamp, json_extract(header,'$.received') AS received_at,
       json_extract(header,'$.service') AS service, json_extract(header,'$.environment') AS environment, actor, json_extract(header,'$.actor_type') AS actor_type,
       action, target, json_extract(header,'$.target_type') AS target_type,
       json_extract(body,'$.audit.change.old') AS old_value, json_extract(body,'$.audit.change.new') AS new_value,
       json_extract(header,'$.outcome') AS outcome, json_extract(body,'$.audit.source.id') AS source_ip,
       coalesce(json_extract(body,'$.otlp.name'), json_extract(body,'$.otlp.event_name')) AS name, json_extract(header,'$.event') AS event,
       json_extract(body,'$.otlp.body') AS message, trace_id, json_extract(body,'$.otlp.span_id') AS span_id, record_id,
       json_extract(header,'$.flags') AS flags, json_extract(header,'$.duplicate_of') AS duplicate_of,
       json_extract(body,'$.attributes') AS attributes, json_extract(body,'$.resource') AS resource, json_extract(body,'$.scope') AS scope,
       body, json_extract(header,'$.prev') AS prev_hash, lower(hex(hash)) AS hash
  FROM entry WHERE kind <> 'ledger';
CREATE VIEW audit_spans AS
SELECT seq, kind, time AS timestamp, json_extract(header,'$.received') AS received_at,
       json_extract(header,'$.service') AS service, json_extract(header,'$.environment') AS environment, actor, json_extract(header,'$.actor_type') AS actor_type,
       action, target, json_extract(header,'$.target_type') AS target_type,
       json_extract(body,'$.audit.change.old') AS old_value, json_extract(body,'$.audit.change.new') AS new_value,
       json_extract(header,'$.outcome') AS outcome, json_extract(body,'$.audit.source.id') AS source_ip,
       coalesce(json_extract(body,'$.otlp.name'), json_extract(body,'$.otlp.event_name')) AS name, json_extract(header,'$.event') AS event,
       json_extract(body,'$.otlp.body') AS message, trace_id, json_extract(body,'$.otlp.span_id') AS span_id, record_id,
       json_extract(header,'$.flags') AS flags, json_extract(header,'$.duplicate_of') AS duplicate_of,
       json_extract(body,'$.attributes') AS attributes, json_extract(body,'$.resource') AS resource, json_extract(body,'$.scope') AS scope,
       body, json_extract(header,'$.prev') AS prev_hash, lower(hex(hash)) AS hash
  FROM entry WHERE kind = 'span' AND json_extract(header,'$.duplicate_of') IS NULL;
CREATE VIEW audit_logs AS
SELECT seq, kind, time AS timestamp, json_extract(header,'$.received') AS received_at,
       json_extract(header,'$.service') AS service, json_extract(header,'$.environment') AS environment, actor, json_extract(header,'$.actor_type') AS actor_type,
       action, target, json_extract(header,'$.target_type') AS target_type,
       json_extract(body,'$.audit.change.old') AS old_value, json_extract(body,'$.audit.change.new') AS new_value,
       json_extract(header,'$.outcome') AS outcome, json_extract(body,'$.audit.source.id') AS source_ip,
       coalesce(json_extract(body,'$.otlp.name'), json_extract(body,'$.otlp.event_name')) AS name, json_extract(header,'$.event') AS event,
       json_extract(body,'$.otlp.body') AS message, trace_id, json_extract(body,'$.otlp.span_id') AS span_id, record_id,
       json_extract(header,'$.flags') AS flags, json_extract(header,'$.duplicate_of') AS duplicate_of,
       json_extract(body,'$.attributes') AS attributes, json_extract(body,'$.resource') AS resource, json_extract(body,'$.scope') AS scope,
       body, json_extract(header,'$.prev') AS prev_hash, lower(hex(hash)) AS hash
  FROM entry WHERE kind = 'log' AND json_extract(header,'$.duplicate_of') IS NULL;
CREATE VIEW ledger_events AS
SELECT seq, kind, time AS timestamp, json_extract(header,'$.received') AS received_at,
       json_extract(header,'$.service') AS service, json_extract(header,'$.environment') AS environment, actor, json_extract(header,'$.actor_type') AS actor_type,
       action, target, json_extract(header,'$.target_type') AS target_type,
       json_extract(body,'$.audit.change.old') AS old_value, json_extract(body,'$.audit.change.new') AS new_value,
       json_extract(header,'$.outcome') AS outcome, json_extract(body,'$.audit.source.id') AS source_ip,
       coalesce(json_extract(body,'$.otlp.name'), json_extract(body,'$.otlp.event_name')) AS name, substr(action, 8) AS event,
       json_extract(body,'$.otlp.body') AS message, trace_id, json_extract(body,'$.otlp.span_id') AS span_id, record_id,
       json_extract(header,'$.flags') AS flags, json_extract(header,'$.duplicate_of') AS duplicate_of,
       json_extract(body,'$.attributes') AS attributes, json_extract(body,'$.resource') AS resource, json_extract(body,'$.scope') AS scope,
       body, json_extract(header,'$.prev') AS prev_hash, lower(hex(hash)) AS hash,
       json_extract(body,'$.event') AS details
  FROM entry WHERE kind = 'ledger';

-- Statistics, seeded and never refreshed: they make the planner skip-scan the block-first indexes.
ANALYZE sqlite_master;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1(tbl, idx, stat) VALUES
  ('entry','entry_time','1000000 1 1'),
  ('entry','entry_action','1000000 50000 1'),
  ('entry','entry_actor','1000000 4096 16'),
  ('entry','entry_target','1000000 4096 16'),
  ('entry','entry_trace','1000000 4096 4'),
  ('entry','entry_record','1000000 4096 1');
