from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from segments_async._serialization.converter import check
from segments_async._wire.arguments import check_keys, without_none
from segments_async._wire.routes import CREATE_ISSUE, DELETE_ISSUE, LIST_ISSUES, UPDATE_ISSUE
from segments_async.models import Dataset, Issue, IssueAnchor, IssueChanges
from segments_async.resources._base import Resource, create_unrepeatable
from segments_async.resources._operations import sample_uuid as sample_uuid_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError
    from segments_async.resources._operations import SampleRef


class Issues(Resource):
    """
    Issues: comments on samples.

    Source: the official SDK, ``get_issues`` and the other issue calls.
    """

    def list(self, dataset: str | Dataset, *, on_error: OnError = "raise") -> Pages[Issue]:
        """
        List the issues of a dataset, each with its comments.

        Example::

            async for issue in client.issues.list("jane/flowers"):
                if issue.status == IssueStatus.OPEN:
                    print(issue.sample_name, issue.description, issue.anchor)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            on_error: ``"skip"`` leaves out an issue that does not decode, and reports it in `Pages.skipped`.

        Returns:
            All issues; the service does not paginate them.
        """
        return self._single_page(LIST_ISSUES, Issue, path={"dataset": dataset}, on_error=on_error)

    async def create(
        self,
        sample_uuid: SampleRef,
        description: str,
        *,
        status: str = "OPEN",
        anchor: IssueAnchor | Mapping[str, Any] | None = None,
        tags: Sequence[str | Mapping[str, Any]] | None = None,
    ) -> Issue:
        """
        Create an issue on a sample.

        An issue has no name to look it up by, so the request is never sent twice, not even after a lost answer.

        Example::

            where = IssueLocationAnchor(location=IssueLocation2D(x=120, y=34.5), frame=3)
            await client.issues.create(sample.uuid, "The box is too large.", anchor=where)

        Args:
            sample_uuid: The sample, or its uuid.
            description: The text of the issue.
            status: One of `IssueStatus`.
            anchor: What it points to, as a model or as JSON, which is checked and sent as given; None means the sample.
            tags: Its tags, as text; None is not sent.

        Raises:
            InputError: *anchor* does not fit its type; `path` says where.
            NotFoundError: There is no such sample.
            OutcomeUnknownError: The answer was lost; `list` shows whether the issue was created.
        """
        body = {"description": description, "status": status, **without_none({"anchor": anchor, "tags": tags})}
        check({"uuid": "", **body}, Issue)
        path = {"sample_uuid": sample_uuid_of(sample_uuid)}
        return await create_unrepeatable(self._session.call(CREATE_ISSUE, Issue, path=path, json=body))

    async def update(self, uuid: str, /, **changes: Unpack[IssueChanges]) -> Issue:
        """
        Change an issue; fields not named keep their value.

        Example::

            await client.issues.update(issue.uuid, status=IssueStatus.CLOSED)

        Args:
            uuid: The issue.
            changes: Keys of `IssueChanges`, explained there: ``description``, ``status``, ``anchor``, ``tags``. None is
                sent as null.

        Returns:
            The issue as it is now.

        Raises:
            AuthorizationError: The key's user may not manage this dataset.
            NotFoundError: There is no such issue.
            TypeError: A keyword is not a field of `IssueChanges`.
        """
        check_keys(changes, IssueChanges, self.update)
        check({"uuid": "", **changes}, Issue)
        return await self._session.call(UPDATE_ISSUE, Issue, path={"uuid": uuid}, json=changes)

    async def delete(self, uuid: str) -> None:
        """
        Delete an issue with its comments.

        Example::

            await client.issues.delete(issue.uuid)

        Args:
            uuid: The issue.

        Raises:
            NotFoundError: There is no such issue.
        """
        await self._session.call(DELETE_ISSUE, path={"uuid": uuid})
