"""All states that three agents can reach: the incident and speaker tables, exhausted."""
