-- The check that needs none of our code, in the stock shell: sqlite3 -readonly ledger.db < check.sql
-- Every bad_* must be 0; entries must be the size that a checkpoint from outside names.
WITH l AS (SELECT seq, header, body, hash, lag(hash) OVER (ORDER BY seq) AS p,
                  lag(seq) OVER (ORDER BY seq) AS q FROM main.entry NOT INDEXED)
SELECT count(*) AS entries, max(seq) AS last,
  sum(sha3(header,256) IS NOT hash)                                            AS bad_hash,
  sum(body IS NOT NULL AND lower(hex(sha3(body,256))) IS NOT json_extract(header,'$.body')) AS bad_body,
  sum(json_extract(header,'$.prev') IS NOT CASE WHEN q IS NULL THEN printf('%064d',0) ELSE lower(hex(p)) END) AS bad_link,
  sum(json_extract(header,'$.seq') IS NOT seq OR seq IS NOT coalesce(q+1,0))   AS bad_seq,
  sum(json_extract(header,'$.subject') IS NOT NULL AND body IS NOT NULL
      AND lower(hex(sha3(json_extract(body,'$.subject'),256))) IS NOT json_extract(header,'$.subject')) AS bad_subject,
  sum(body IS NULL) AS without_body FROM l;
