-- Providers that limit the rate of calls: nothing is submitted under a limit before its pause is over.
CREATE TABLE submit_pauses (
    -- Origin and names of the secrets that the limit holds for.
    rate_limit TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
