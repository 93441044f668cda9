-- What came to the schema with published checkpoints; a ledger made before gets it by a `ledger.schema` entry.
-- Every byte inside a statement counts, as in schema.sql. Never edit one.

CREATE TABLE checkpoint(               -- published tree heads, as signed notes (C2SP tlog-checkpoint)
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL           CHECK (typeof(note)='text' AND length(CAST(note AS BLOB)) < 8192)
);
CREATE TABLE anchored(                 -- what anchors outside gave back for a checkpoint; each is evidence by itself
  size    INTEGER NOT NULL     CHECK (typeof(size)='integer'),
  anchor  TEXT NOT NULL        CHECK (typeof(anchor)='text'),
  kind    TEXT NOT NULL        CHECK (typeof(kind)='text'),
  content BLOB NOT NULL        CHECK (typeof(content)='blob' AND length(content) < 65536),
  PRIMARY KEY(size, anchor, kind)
) WITHOUT ROWID;

CREATE TRIGGER checkpoint_insert BEFORE INSERT ON checkpoint
WHEN NOT EXISTS (SELECT 1 FROM head WHERE size = NEW.size)
  OR NEW.size <= coalesce((SELECT max(size) FROM checkpoint), 0)
BEGIN SELECT RAISE(ABORT, 'append only: a checkpoint has the size of a head, once, in order'); END;
CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'append only: checkpoints are written once'); END;
CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'append only: checkpoints are written once'); END;

CREATE TRIGGER anchored_insert BEFORE INSERT ON anchored
WHEN NOT EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
  OR EXISTS (SELECT 1 FROM anchored WHERE size = NEW.size AND anchor = NEW.anchor AND kind = NEW.kind)
BEGIN SELECT RAISE(ABORT, 'append only: one answer of an anchor for a checkpoint that is there'); END;
CREATE TRIGGER anchored_update BEFORE UPDATE ON anchored BEGIN SELECT RAISE(ABORT, 'append only: answers are written once'); END;
CREATE TRIGGER anchored_delete BEFORE DELETE ON anchored BEGIN SELECT RAISE(ABORT, 'append only: answers are written once'); END;
