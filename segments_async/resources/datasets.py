from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import unquote

from segments_async._serialization.converter import check, unstructure
from segments_async._streams.pages import Tracking
from segments_async._wire.arguments import check_keys, check_name, json_contains, without_none
from segments_async._wire.categories import check_task_attributes
from segments_async._wire.changes import DATASETS
from segments_async._wire.endpoint import dataset_path, segment
from segments_async._wire.routes import (
    ADD_COLLABORATOR,
    CLONE_DATASET,
    CREATE_DATASET_IN,
    CREATE_OWN_DATASET,
    DELETE_DATASET,
    GET_COLLABORATOR,
    GET_DATASET,
    GET_ME,
    LIST_DATASETS_OF,
    LIST_OWN_DATASETS,
    REMOVE_COLLABORATOR,
    UPDATE_COLLABORATOR,
    UPDATE_DATASET,
)
from segments_async.bulk import BulkSettings
from segments_async.bulk.option_help import with_option_help
from segments_async.errors import InputError
from segments_async.models import Collaborator, Dataset, DatasetChanges, DatasetSettings, User
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import MAX_PER_PAGE, Resource, create_once, create_or_find, create_unrepeatable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import BulkOptions
    from segments_async.imports import Annotations, ImportFormat, ImportReport


_DEFAULTS: dict[str, Any] = {
    "task_type": "segmentation-bitmap",
    "task_attributes": {"format_version": "0.1", "categories": [{"name": "object", "id": 1}]},
    "category": "other",
    "data_type": "IMAGE",
    "public": False,
}
"""Keys sent with every new dataset; see ``docs/service.md``, "Defaults of datasets.create"."""


@with_option_help
class Datasets(Resource):
    """
    Datasets and their collaborators.

    Source: API documentation, "Datasets".
    """

    def list(
        self,
        owner: str | None = None,
        *,
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        on_error: OnError = "raise",
    ) -> Pages[Dataset]:
        """
        List the datasets of a user or an organisation that the key has access to.

        Example::

            mine = await client.datasets.list()
            async for dataset in client.datasets.list("jane"):
                print(dataset.identifier)

        Args:
            owner: A username or an organisation; None lists the datasets of the key's user.
            per_page: Datasets per request, 1000 at most.
            lookahead: Pages fetched at the same time.
            on_error: ``"skip"`` leaves out a dataset that does not decode, and reports it in `Pages.skipped`.

        Returns:
            Pages of datasets, without their task attributes and labelsets.

        Raises:
            ListChangedError: A dataset was created, deleted or renamed while the list was read; see `Pages`.
        """
        return self._pages(
            LIST_OWN_DATASETS if owner is None else LIST_DATASETS_OF,
            Dataset,
            path={"owner": owner},
            per_page=per_page,
            lookahead=lookahead,
            tracking=Tracking(
                _key, partial(self._session.pool.changes.watch, None, [DATASETS]), "client.datasets.list(...)"
            ),
            on_error=on_error,
        )

    async def get(self, dataset: str | Dataset) -> Dataset:
        """
        Get a dataset with its task attributes and labelsets.

        Example::

            flowers = await client.datasets.get("jane/flowers")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.

        Raises:
            NotFoundError: There is no such dataset, or the key has no access to it.
        """
        return await self._session.call(GET_DATASET, Dataset, path={"dataset": dataset})

    async def create(
        self,
        name: str,
        *,
        organization: str | None = None,
        exist_ok: bool = False,
        **settings: Unpack[DatasetSettings],
    ) -> Dataset:
        """
        Create a dataset.

        Example::

            flowers = await client.datasets.create(
                "flowers",
                task_type="vector",
                task_attributes={"format_version": "0.1", "categories": [{"name": "rose", "id": 1}]},
            )

        Args:
            name: Unique among the datasets of its owner.
            organization: The organisation that will own it; None means the key's user.
            exist_ok: If a dataset with this name exists, return it unchanged.
            settings: Keys of `DatasetSettings`, explained there: ``description``, ``task_type``, ``task_attributes``,
                ``category``, ``public``, ``readme``, ``metadata``, ``tags``, ``archived``,
                ``labeling_inactivity_timeout_seconds``, ``region_of_interest``, ``noncollaborator_can_label``,
                ``noncollaborator_can_review``, ``enable_skip_labeling``, ``enable_skip_reviewing``, ``enable_ratings``,
                ``enable_save_button``, ``enable_label_status_verified``, ``enable_confirm_on_submit``,
                ``enable_same_dimensions_track_constraint``, ``enable_interpolation``, ``enable_extrapolation``,
                ``use_timestamps_for_interpolation``, ``enable_3d_cuboid_rotation``, ``enable_3d_region_of_interest``,
                ``enable_object_linking``, ``enable_object_link_category_restrictions``. None is not sent. The default
                is a private ``segmentation-bitmap`` dataset with one category, "object".

        Raises:
            AlreadyExistsError: A dataset with this name exists, and *exist_ok* is False.
            InputError: A value is of the wrong type, a key of the task attributes is mistyped, a colour is not from 0
                to 255, or two categories have the same id; `path` says where.
            TypeError: A keyword is not a field of `DatasetSettings`.
        """
        check_keys(settings, DatasetSettings, self.create)
        _check_dataset_name(name)
        body = {**_DEFAULTS, **without_none(settings), "name": name}
        check_task_attributes(body["task_attributes"])
        check(body, Dataset)
        endpoint = CREATE_OWN_DATASET if organization is None else CREATE_DATASET_IN
        path = {} if organization is None else {"organization": organization}

        async def create() -> Dataset:
            return await self._session.call(endpoint, Dataset, path=path, json=body)

        async def find() -> Dataset:
            owner = organization or (await self._session.call(GET_ME, User)).username
            return await self.get(f"{owner}/{name}")

        def same(found: Dataset) -> bool:
            existing: Mapping[str, Any] = unstructure(found)
            sent: Mapping[str, Any] = unstructure(body)
            return all(json_contains(existing[key], value) for key, value in sent.items() if key in existing)

        return await create_or_find(self._session, create, find, same, exist_ok=exist_ok)

    async def update(self, dataset: str | Dataset, /, **changes: Unpack[DatasetChanges]) -> Dataset:
        """
        Change settings of a dataset; settings not named keep their value.

        Example::

            await client.datasets.update("jane/flowers", public=False, description="Roses, mostly.")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            changes: Keys of `DatasetChanges`, explained there: ``description``, ``task_type``, ``task_attributes``,
                ``category``, ``public``, ``readme``, ``metadata``, ``tags``, ``archived``,
                ``labeling_inactivity_timeout_seconds``, ``region_of_interest``, ``noncollaborator_can_label``,
                ``noncollaborator_can_review``, ``enable_skip_labeling``, ``enable_skip_reviewing``, ``enable_ratings``,
                ``enable_save_button``, ``enable_label_status_verified``, ``enable_confirm_on_submit``,
                ``enable_same_dimensions_track_constraint``, ``enable_interpolation``, ``enable_extrapolation``,
                ``use_timestamps_for_interpolation``, ``enable_3d_cuboid_rotation``, ``enable_3d_region_of_interest``,
                ``enable_object_linking``, ``enable_object_link_category_restrictions``, ``name``. None is sent as null.
                A new `name` changes the dataset's path.

        Returns:
            The dataset as it is now.

        Raises:
            AuthorizationError: The key may read this dataset but not manage it.
            InputError: As of `create`.
            TypeError: A keyword is not a field of `DatasetChanges`.
        """
        check_keys(changes, DatasetChanges, self.update)
        if "name" in changes:
            _check_dataset_name(changes["name"])
        check_task_attributes(changes.get("task_attributes"))
        check({"name": "", **changes}, Dataset)
        return await self._session.call(UPDATE_DATASET, Dataset, path={"dataset": dataset}, json=changes)

    async def delete(self, dataset: str | Dataset) -> None:
        """
        Delete a dataset with all its samples, labels and releases.

        Example::

            await client.datasets.delete("jane/flowers")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.

        Raises:
            NotFoundError: There is no such dataset.
        """
        await self._session.call(DELETE_DATASET, path={"dataset": dataset})

    async def clone(
        self,
        dataset: str | Dataset,
        *,
        name: str | None = None,
        task_type: str | None = None,
        public: bool | None = None,
        organization: str | None = None,
        clone_labels: bool = False,
    ) -> Dataset:
        """
        Copy a dataset with its samples.

        The request is never sent twice, not even after a lost answer, as cloning may take the service a long time.

        Example::

            boxes = await client.datasets.clone("jane/flowers", name="flower-boxes", task_type="bboxes")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique among the datasets of its owner; None means the original's name plus ``-clone``.
            task_type: The task type of the copy, one of `TaskType`; None keeps the original's.
            public: Whether the copy is public; None keeps the original's setting.
            organization: The organisation that will own the copy; None means the key's user.
            clone_labels: Copy the labels too.

        Returns:
            The copy.

        Raises:
            AlreadyExistsError: A dataset with this name exists.
            OutcomeUnknownError: The answer was lost; `get` shows whether the copy was created.
        """
        name = f"{unquote(dataset_path(dataset).partition('/')[2])}-clone" if name is None else name
        _check_dataset_name(name)
        body = {"name": name, **without_none({"task_type": task_type, "public": public})}
        check(body, Dataset)
        if not isinstance(clone_labels, bool):
            raise InputError(f"expected true or false, got {type(clone_labels).__name__}", path="clone_labels")
        if organization is not None:
            segment(organization, "organization")
            body["owner"] = organization
        body["clone_labels"] = clone_labels
        call = self._session.call(CLONE_DATASET, Dataset, path={"dataset": dataset}, json=body)
        return await create_unrepeatable(call)

    async def import_annotations(
        self,
        dataset: str | Dataset,
        source: str | os.PathLike[str] | Annotations,
        *,
        format: ImportFormat | str | None = None,
        images: str | os.PathLike[str] | None = None,
        labelset: str = GROUND_TRUTH,
        create: bool = False,
        lossy: bool = False,
        task_type: str | None = None,
        **bulk: Unpack[BulkOptions],
    ) -> ImportReport:
        """
        Import annotations of another tool: create the samples that are missing, and put a label on each.

        An image belongs to the sample of its name, or of its name without folders if that is unique. A label that
        exists is replaced. Everything is read piece by piece, so memory does not depend on the number of images, except
        for the outcomes in the report; see ``keep="failures"``. ``docs/import.md`` explains the conversions.

        Example::

            report = await client.datasets.import_annotations(
                "jane/flowers", "instances.json", images="photos", create=True, checkpoint="import.db"
            )
            print(report)
            report.raise_if_failed()

        Args:
            dataset: ``"owner/name"``, or a `Dataset`. Categories are matched by name.
            source: The file or folder, or open `Annotations`, which then have *format* and *images* already.
            format: One of `ImportFormat`; None finds it out.
            images: The folder of the images, which are uploaded if the dataset has no sample of their name; or the
                start of their URLs. By default, the URLs in the file are used.
            labelset: Where the labels go.
            create: Create the dataset with the categories of the file, and the labelset, unless they exist.
            lossy: Also convert what changes in the process: masks become polygons along their contours, or boxes.
            task_type: The task type of a new dataset; None chooses the one that loses least.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``; for the samples and for the labels. The *checkpoint* records labels;
                samples that exist are found by their names.

        Returns:
            One outcome for each image and each label, and what was left out.

        Raises:
            InputError: The file cannot be recognized, the dataset has none of its categories, or has a task type that
                the file cannot be converted to. Nothing is sent.
            DecodeError: The file is damaged. Nothing is sent.
            NotFoundError: There is no such dataset, and *create* is False.
            BulkError: An image or a label failed, and ``on_error="raise"``; its report is that of the samples or of the
                labels.
        """
        from segments_async.resources.importing import start  # noqa: PLC0415 (rarely used)

        return await start.import_annotations(
            self._session,
            dataset,
            source,
            format=format,
            images=images,
            labelset=labelset,
            create=self.create if create else None,
            lossy=lossy,
            task_type=task_type,
            settings=BulkSettings.from_options(bulk, self.import_annotations),
        )

    async def get_collaborator(self, dataset: str | Dataset, user: str) -> Collaborator:
        """
        Get a collaborator with their role.

        Example::

            collaborator = await client.datasets.get_collaborator("jane/flowers", "joe")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            user: A username.

        Raises:
            NotFoundError: This user is not a collaborator, or there is no such dataset.
        """
        return await self._session.call(GET_COLLABORATOR, Collaborator, path={"dataset": dataset, "user": user})

    async def add_collaborator(self, dataset: str | Dataset, user: str, role: str = "labeler") -> Collaborator:
        """
        Add a user to a dataset as a collaborator.

        Example::

            await client.datasets.add_collaborator("jane/flowers", "joe", "reviewer")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            user: A username.
            role: What the user may do: one of `Role`.

        Returns:
            The collaborator.

        Raises:
            CollaboratorError: This user is already a collaborator, or cannot become one.
        """
        path = {"dataset": dataset, "user": check_name(user, "user")}
        dataset_path(dataset)
        segment(user, "user")

        async def create() -> Collaborator:
            return await self._session.call(
                ADD_COLLABORATOR,
                Collaborator,
                path=path,
                json={"user": user, "role": check_name(role, "role")},
            )

        async def find() -> Collaborator:
            return await self.get_collaborator(dataset, user)

        return await create_once(self._session, create, find, lambda found: found.role == role)

    async def update_collaborator(self, dataset: str | Dataset, user: str, role: str) -> Collaborator:
        """
        Change the role of a collaborator.

        Example::

            await client.datasets.update_collaborator("jane/flowers", "joe", Role.REVIEWER)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            user: A username.
            role: What the user may do: one of `Role`.

        Returns:
            The collaborator with the new role.

        Raises:
            NotFoundError: This user is not a collaborator, or there is no such dataset.
            ValidationError: The service does not know this role.
        """
        path, body = {"dataset": dataset, "user": user}, {"role": check_name(role, "role")}
        return await self._session.call(UPDATE_COLLABORATOR, Collaborator, path=path, json=body)

    async def remove_collaborator(self, dataset: str | Dataset, user: str) -> None:
        """
        Remove a collaborator from a dataset; their work is kept.

        Example::

            await client.datasets.remove_collaborator("jane/flowers", "joe")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            user: A username.

        Raises:
            NotFoundError: This user is not a collaborator, or there is no such dataset.
        """
        await self._session.call(REMOVE_COLLABORATOR, path={"dataset": dataset, "user": user})


def _key(dataset: Dataset) -> tuple[str | None, str]:
    """Return what is unique to a dataset; a row may lack its owner."""
    return getattr(dataset.owner, "username", dataset.full_name), dataset.name


def _check_dataset_name(name: object) -> None:
    segment(name, "name")
    if "/" in check_name(name):
        raise InputError(f"expected a name without '/', got {name!r}", path="name")
