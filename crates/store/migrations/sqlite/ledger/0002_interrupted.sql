-- How many of a group's attempts were interrupted: of those nobody knows what was consumed, nor whether they failed.
ALTER TABLE usage_daily ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;

UPDATE usage_daily SET interrupted = (
    SELECT COUNT(*) FROM attempts AS a
    WHERE a.state = 'interrupted'
      AND a.opened_at >= usage_daily.day * 86400000
      AND a.opened_at < (usage_daily.day + 1) * 86400000
      AND a.organisation_id = usage_daily.organisation_id
      AND coalesce(a.team_id, x'') = usage_daily.team_id
      AND coalesce(a.user_id, x'') = usage_daily.user_id
      AND a.key_id = usage_daily.key_id
      AND a.model = usage_daily.model
      AND a.provider = usage_daily.provider
      AND a.account = usage_daily.account
)
WHERE EXISTS (SELECT 1 FROM attempts WHERE state = 'interrupted');
