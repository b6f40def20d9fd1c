"""Users, organisations and collaborators."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async._misuse import OfficialNames
from segments_async.models._base import Model


@define(kw_only=True)
class User(Model):
    """A user or an organisation. Source: API documentation (the owner of a dataset) and the official SDK."""

    username: str
    """The username, as in ``"owner/name"``."""
    email: str | None = None
    """The email address; only sent to users who may see it."""
    created_at: datetime | str | None = None
    """When the account was created."""
    is_organization: bool | None = None
    """Whether this is an organisation."""
    webhooks_enabled: bool | None = None
    """Whether the plan includes webhooks."""
    private_upload_count: int | None = None
    """Number of samples in private datasets."""
    public_upload_count: int | None = None
    """Number of samples in public datasets."""
    subscription: str | None = None
    """The plan, such as ``"FREE"`` or ``"ENTERPRISE"``."""
    is_trial_expired: bool | None = None
    """Whether the trial has expired."""
    organizations: list["User"] | None = None
    """The organisations that the user belongs to."""
    organization_created_by: str | None = None
    """For organisations: the creator."""
    organization_role: str | None = None
    """For members: the role in the organisation."""
    members: list["User"] | None = None
    """For organisations: the members."""
    insights_urls: dict[str, Any] | None = None
    """URLs of dashboards, by name."""


@define(kw_only=True)
class Collaborator(OfficialNames, Model):
    """A collaborator of a dataset. Source: API documentation, "POST .../collaborators"."""

    user: User | str
    """The user; a username according to the documentation, an object from the live service."""
    role: str
    """One of `Role`, or a newer value."""
