"""Users, organisations and collaborators."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class User(Model):
    """A user or an organisation. Source: API documentation (the owner of a dataset) and the official SDK."""

    username: str
    """The name in paths and in ``"owner/name"``."""
    email: str | None = None
    """Only shown to those who may see it."""
    created_at: datetime | str | None = None
    """When the account was made."""
    is_organization: bool | None = None
    """Whether this is an organisation."""
    webhooks_enabled: bool | None = None
    """Whether the plan has webhooks."""
    private_upload_count: int | None = None
    """Samples in private datasets."""
    public_upload_count: int | None = None
    """Samples in public datasets."""
    subscription: str | None = None
    """The plan, such as ``"FREE"`` or ``"ENTERPRISE"``."""
    is_trial_expired: bool | None = None
    """Whether the trial is over."""
    organizations: list["User"] | None = None
    """The organisations this user belongs to."""
    organization_created_by: str | None = None
    """Of an organisation: who made it."""
    organization_role: str | None = None
    """Of a member: the role in the organisation."""
    members: list["User"] | None = None
    """Of an organisation: its users."""
    insights_urls: dict[str, Any] | None = None
    """Dashboards, by name."""


@define(kw_only=True)
class Collaborator(Model):
    """Someone who works on a dataset. Source: API documentation, "POST .../collaborators"."""

    user: User | str
    """The user; the documentation shows a username here, the live service sends an object."""
    role: str
    """One of `Role`, or a word newer than this version."""
