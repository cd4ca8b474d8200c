"""What people do, with its permission and its AuditEvent."""
