"""The schema of release 0.1."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), server_default="agent", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
    )
    op.create_table(
        "messages",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", sa.BigInteger(), nullable=False),
        sa.Column("buffer_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("msgid", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("addressee", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(
        op.f("ix_messages_buffer_id_time_ms_id"),
        "messages",
        ["buffer_id", "time_ms", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_messages_network_id_id"), "messages", ["network_id", "id"], unique=False
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "sources",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("source", name=op.f("uq_sources_source")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "staff",
        sa.Column("id", ID, nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("oncall", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("admin", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("user", sa.Text(), server_default="", nullable=False),
        sa.Column("nicks", sa.Text(), server_default="", nullable=False),
        sa.Column("accounts", sa.Text(), server_default="", nullable=False),
        sa.Column("keys", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("handle", name=op.f("uq_staff_handle")),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("admin", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("scram", sa.Text(), server_default="", nullable=False),
        sa.Column("nick", sa.Text(), server_default="", nullable=False),
        sa.Column("realname", sa.Text(), server_default="", nullable=False),
        sa.Column("auto_away", sa.Boolean(), nullable=True),
        sa.Column("autoplay", sa.Boolean(), nullable=True),
        sa.Column("keep_age_s", sa.BigInteger(), nullable=True),
        sa.Column("keep_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("folded_name", name=op.f("uq_users_folded_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "certificates",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_certificates_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_certificates_fingerprint")),
    )
    op.create_index(op.f("ix_certificates_user_id"), "certificates", ["user_id"], unique=False)
    op.create_table(
        "networks",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("nick", sa.Text(), server_default="", nullable=False),
        sa.Column("ident", sa.Text(), server_default="", nullable=False),
        sa.Column("realname", sa.Text(), server_default="", nullable=False),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("sasl_mechanism", sa.Text(), server_default="", nullable=False),
        sa.Column("sasl_login", sa.Text(), server_default="", nullable=False),
        sa.Column("sasl_password", sa.Text(), server_default="", nullable=False),
        sa.Column("sasl_required", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("certificate", sa.Text(), server_default="", nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("source_address", sa.Text(), server_default="", nullable=False),
        sa.Column("proxy", sa.Text(), server_default="", nullable=False),
        sa.Column("connect_commands", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("auto_away", sa.Boolean(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("keep_age_s", sa.BigInteger(), nullable=True),
        sa.Column("keep_bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_networks_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_networks")),
        sa.UniqueConstraint("user_id", "folded_name", name=op.f("uq_networks_user_id_folded_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "buffers",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", ID, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_buffers_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buffers")),
        sa.UniqueConstraint("network_id", "target", name=op.f("uq_buffers_network_id_target")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "channels",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("detached", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("relay_detached", sa.Text(), server_default="", nullable=False),
        sa.Column("reattach_on", sa.Text(), server_default="", nullable=False),
        sa.Column("detach_on", sa.Text(), server_default="", nullable=False),
        sa.Column("detach_after_s", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("always_notify", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("keep_age_s", sa.BigInteger(), nullable=True),
        sa.Column("keep_bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_channels_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint(
            "network_id", "folded_name", name=op.f("uq_channels_network_id_folded_name")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "clients",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delivered_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("autoplay", sa.Boolean(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_clients_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("network_id", "name", name=op.f("uq_clients_network_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "markers",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", ID, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_markers_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_markers")),
        sa.UniqueConstraint("network_id", "target", name=op.f("uq_markers_network_id_target")),
    )
    op.create_table(
        "marks",
        sa.Column("id", ID, nullable=False),
        sa.Column("network_id", ID, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["networks.id"],
            name=op.f("fk_marks_network_id_networks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marks")),
        sa.UniqueConstraint(
            "network_id", "target", "key", name=op.f("uq_marks_network_id_target_key")
        ),
    )
