from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._serialization.converter import check
from segments_async._wire.arguments import check_name
from segments_async._wire.routes import CREATE_LABELSET, DELETE_LABELSET, GET_LABELSET, LIST_LABELSETS
from segments_async.models import Dataset, Labelset
from segments_async.resources._base import Resource, create_or_find

if TYPE_CHECKING:
    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError


class Labelsets(Resource):
    """
    Labelsets: the sets of labels of a dataset, such as ``ground-truth`` and the predictions of a model.

    Source: the official SDK, ``get_labelsets`` and the other labelset calls.
    """

    def list(self, dataset: str | Dataset, *, on_error: OnError = "raise") -> Pages[Labelset]:
        """
        List the labelsets of a dataset.

        Example::

            for labelset in await client.labelsets.list("jane/flowers"):
                print(labelset.name, labelset.description)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            on_error: ``"skip"`` leaves out a labelset that does not decode, and reports it in `Pages.skipped`.

        Returns:
            All labelsets; the service does not paginate them.
        """
        return self._single_page(LIST_LABELSETS, Labelset, path={"dataset": dataset}, on_error=on_error)

    async def get(self, dataset: str | Dataset, name: str) -> Labelset:
        """
        Get a labelset.

        Example::

            labelset = await client.labelsets.get("jane/flowers", "ground-truth")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The labelset's name.

        Raises:
            NotFoundError: There is no such labelset.
        """
        return await self._session.call(GET_LABELSET, Labelset, path={"dataset": dataset, "name": name})

    async def create(
        self, dataset: str | Dataset, name: str, *, description: str = "", exist_ok: bool = False
    ) -> Labelset:
        """
        Create a labelset, such as for the predictions of a model.

        Example::

            await client.labelsets.create("jane/flowers", "model-v2", description="Trained on v1.", exist_ok=True)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            description: A short text for readers.
            exist_ok: If a labelset with this name exists, return it unchanged.

        Raises:
            AlreadyExistsError: A labelset with this name exists, and *exist_ok* is False.
        """
        # The official SDK always sends attributes, as the text "{}".
        body = {"name": check_name(name), "description": description, "attributes": "{}"}
        check(body, Labelset)
        GET_LABELSET.fill(dataset=dataset, name=name)  # refuses a name that no later call could use in a path

        async def create() -> Labelset:
            return await self._session.call(CREATE_LABELSET, Labelset, path={"dataset": dataset}, json=body)

        async def find() -> Labelset:
            return await self.get(dataset, name)

        def same(found: Labelset) -> bool:
            return (found.description or "") == description

        return await create_or_find(self._session, create, find, same, exist_ok=exist_ok)

    async def delete(self, dataset: str | Dataset, name: str) -> None:
        """
        Delete a labelset with its labels.

        Example::

            await client.labelsets.delete("jane/flowers", "model-v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The labelset's name.

        Raises:
            NotFoundError: There is no such labelset.
        """
        await self._session.call(DELETE_LABELSET, path={"dataset": dataset, "name": name})
