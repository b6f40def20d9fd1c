from __future__ import annotations

from segments_async._wire.routes import GET_ME, GET_USER
from segments_async.models import User
from segments_async.resources._base import Resource


class Users(Resource):
    """
    Users and organisations.

    Source: the official SDK, ``get_user``.
    """

    async def me(self) -> User:
        """
        Get the user that the API key belongs to.

        Example::

            me = await client.users.me()
            print(me.username, [organization.username for organization in me.organizations or []])

        Returns:
            The user, with plan and organisations.

        Raises:
            AuthenticationError: The key is invalid.
        """
        return await self._session.call(GET_ME, User)

    async def get(self, username: str) -> User:
        """
        Get a user or an organisation.

        Example::

            acme = await client.users.get("acme")
            print(acme.is_organization, [member.username for member in acme.members or []])

        Args:
            username: The name in paths and in ``"owner/name"``.

        Returns:
            The user; which fields it has depends on the key's permissions.

        Raises:
            NotFoundError: There is no user or organisation with this name.
        """
        return await self._session.call(GET_USER, User, path={"username": username})
