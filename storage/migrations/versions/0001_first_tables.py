"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    _people()
    _cases()
    _uploads()
    _exhibits()
    _step_runs()
    _outputs()
    _log()


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("must_change_password", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_table(
        "tokens",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_tokens")),
        sa.UniqueConstraint("id", name=op.f("uq_tokens_id")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
    )
    op.create_index(op.f("ix_sign_in_failures_name_at"), "sign_in_failures", ["name", "at"], unique=False)


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_cases_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("reference", name=op.f("uq_cases_reference")),
    )
    op.create_index("uq_cases_reference_lower", "cases", [sa.literal_column("lower(reference)")], unique=True)
    op.create_table(
        "memberships",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["added_by"], ["users.id"], name=op.f("fk_memberships_added_by")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_memberships_case_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("case_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "reference_numbers",
        sa.Column("scope", sa.Text(), nullable=False, comment="a case id, or unfiled:<user id>"),
        sa.Column("initials", sa.Text(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "initials", name=op.f("pk_reference_numbers")),
    )


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True, comment="empty: goes to the unfiled tray"),
        sa.Column("claimed_case", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="receiving, checking, done, refused, failed, expired, deleted"
        ),
        sa.Column("exhibit_id", sa.Text(), nullable=True, comment="chosen at creation; the exhibit row comes at the end"),
        sa.Column("duplicate_of", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("hint", sa.Text(), server_default="", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("offset_bytes >= 0 AND offset_bytes <= size_bytes", name=op.f("ck_uploads_offset_in_range")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_uploads_case_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_uploads_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_state_lease_until"), "uploads", ["state", "lease_until"], unique=False)
    op.create_index(op.f("ix_uploads_user_id"), "uploads", ["user_id"], unique=False)
    op.create_table(
        "upload_parts",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("full", sa.Boolean(), nullable=False, comment="false: the tail, replaced by the next write"),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name=op.f("fk_upload_parts_upload_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_parts")),
    )


def _exhibits() -> None:
    op.create_table(
        "exhibits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("claimed_case", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("officer", sa.Text(), server_default="", nullable=False),
        sa.Column("sidecar_for", sa.Text(), server_default="", nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("media", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("secured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_exhibits_case_id")),
        sa.ForeignKeyConstraint(["uploaded_by"], ["users.id"], name=op.f("fk_exhibits_uploaded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exhibits")),
        sa.UniqueConstraint("case_id", "reference", name=op.f("uq_exhibits_case_id_reference")),
        sa.UniqueConstraint("case_id", "sha256", name=op.f("uq_exhibits_case_id_sha256")),
    )
    op.create_index(op.f("ix_exhibits_locked_until"), "exhibits", ["locked_until"], unique=False)
    op.create_index(op.f("ix_exhibits_uploaded_by"), "exhibits", ["uploaded_by"], unique=False)
    op.create_index(
        "uq_exhibits_unfiled_sha256",
        "exhibits",
        ["uploaded_by", "claimed_case", "sha256"],
        unique=True,
        postgresql_where=sa.text("case_id IS NULL"),
    )


def _step_runs() -> None:
    op.create_table(
        "step_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("exhibit_id", sa.Text(), nullable=True),
        sa.Column("case_id", sa.Text(), nullable=True, comment="set for EXPORT only"),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("segment", sa.Integer(), server_default="0", nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("killed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True, comment="a transient failure waits until then"),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.Column("recipe", sa.Text(), server_default="", nullable=False),
        sa.Column("progress_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("progress_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("hint", sa.Text(), server_default="", nullable=False),
        sa.Column("log_tail", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_step_runs_case_id")),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_step_runs_exhibit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_runs")),
    )
    op.create_index(
        op.f("ix_step_runs_exhibit_id_step_segment"), "step_runs", ["exhibit_id", "step", "segment"], unique=False
    )
    op.create_index(op.f("ix_step_runs_state_lease_until"), "step_runs", ["state", "lease_until"], unique=False)


def _outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("exhibit_id", sa.Text(), nullable=True),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("segment", sa.Integer(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="what routes call it: proxy.mp4, annotated.mp4, tracks.json …"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the step's report: models, parameters, what was not looked for",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_outputs_case_id")),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_outputs_exhibit_id")),
        sa.ForeignKeyConstraint(["step_run_id"], ["step_runs.id"], name=op.f("fk_outputs_step_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outputs")),
        sa.UniqueConstraint("step_run_id", "key", name=op.f("uq_outputs_step_run_id_key")),
    )
    op.create_index(op.f("ix_outputs_case_id"), "outputs", ["case_id"], unique=False)
    op.create_index(op.f("ix_outputs_exhibit_id_name"), "outputs", ["exhibit_id", "name"], unique=False)
    op.create_table(
        "tracks",
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("time_base", sa.Text(), nullable=False, comment="a fraction, as in 1/90000"),
        sa.Column("first_pts", sa.BigInteger(), nullable=False),
        sa.Column("last_pts", sa.BigInteger(), nullable=False),
        sa.Column("first_frame", sa.Integer(), nullable=False),
        sa.Column("last_frame", sa.Integer(), nullable=False),
        sa.Column("best_pts", sa.BigInteger(), nullable=False),
        sa.Column("best_frame", sa.Integer(), nullable=False),
        sa.Column("best_score", sa.Double(), nullable=False),
        sa.Column("best_box_xyxy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False, comment="for search only; first_pts is the truth"),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column(
            "thumbnail_output", sa.Text(), server_default="", nullable=False, comment="name of the output with its picture"
        ),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_tracks_exhibit_id")),
        sa.PrimaryKeyConstraint("exhibit_id", "track_id", name=op.f("pk_tracks")),
    )
    op.create_index(op.f("ix_tracks_label_best_score"), "tracks", ["label", "best_score"], unique=False)


def _log() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("exhibit_id", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_case_id_number"), "audit", ["case_id", "number"], unique=False)
    op.create_index(op.f("ix_audit_exhibit_id_number"), "audit", ["exhibit_id", "number"], unique=False)
    op.create_table(
        "viewings",
        sa.Column("session", sa.Text(), nullable=False, comment="the session's or token's SHA-256"),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("audit_number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session", "object_key", name=op.f("pk_viewings")),
    )
