"""Mail: a message that is written once and can be sent twice, by SMTP or into a folder."""
