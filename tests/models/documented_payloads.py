"""
Every JSON block of both pages of the service's API documentation, with its model.

Some blocks are not JSON as printed: a comma is missing or superfluous. They are marked as mended.
"""

from typing import Any, NamedTuple

from segments_async.models import Collaborator, Dataset, Label, Release, Sample, SampleCreate


class Documented(NamedTuple):
    """A block as the documentation has it."""

    title: str
    model: Any
    text: str
    mended: bool = False


DOCUMENTED = [
    Documented(
        "GET /user/datasets",
        list[Dataset],
        """
[
  {
    "name": "cats",
    "description": "A dataset of cat images.",
    "data_type": "IMAGE",
    "category": "other",
    "public": false,
    "owner": {
      "username": "bert",
      "email": "bert@segments.ai",
      "created_at": "2020-05-11T14:00:53.763278Z"
    },
    "created_at": "2020-04-10T20:09:31Z",
    "collaborators_count": 0,
    "samples_count": 94
  }
]
""",
    ),
    Documented(
        "GET /datasets/:owner/:dataset",
        Dataset,
        """
{
  "name": "cats",
  "description": "A dataset of cat images.",
  "category": "other",
  "public": false,
  "owner": {
    "username": "bert",
    "created_at": "2020-05-11T14:00:53.763278Z"
  },
  "created_at": "2020-07-20T14:59:36.242218Z",
  "collaborators_count": 0,
  "samples_count": 94,
  "task_type": "segmentation-bitmap",
  "task_attributes": {
    "format_version": "0.1",
    "categories": [
      {
        "name": "cat",
        "id": 0
      },
      {
        "name": "dog",
        "id": 1
      }
    ]
  },
  "labelsets": [
    {
      "name": "ground-truth",
      "description": "Ground truth labels."
    },
    {
      "name": "predictions",
      "description": "My model predictions."
    }
  ]
}
""",
        mended=True,
    ),
    Documented(
        "POST /user/datasets, body",
        Dataset,
        """
{
  "name": "cats",
  "description": "A dataset of cat images."
}
""",
    ),
    Documented(
        "POST /user/datasets",
        Dataset,
        """
{
  "name": "cats",
  "description": "A dataset of cat images.",
  "category": "other",
  "public": false,
  "owner": {
    "username": "bert",
    "email": "bert@segments.ai",
    "created_at": "2020-05-11T14:00:53.763278Z"
  },
  "created_at": "2020-07-20T14:59:36.242218Z",
  "collaborators_count": 0,
  "samples_count": 94
}
""",
    ),
    Documented(
        "POST /datasets/:owner/:dataset/collaborators, body",
        Collaborator,
        """
{
  "user": "jane",
  "role": "reviewer"
}
""",
    ),
    Documented(
        "POST /datasets/:owner/:dataset/collaborators",
        Collaborator,
        """
{
  "user": "jane",
  "role": "reviewer"
}
""",
    ),
    Documented(
        "GET /datasets/:owner/:dataset/samples",
        list[Sample],
        """
[
  {
    "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
    "name": "image.png",
    "data_type": "IMAGE",
    "attributes": {
      "image": {"url": "https://example.com/image.png"}
    },
    "metadata": {},
    "priority": 0,
    "created_at": "2011-04-10T20:09:31Z",
    "created_by": "jane"
  }
]
""",
        mended=True,
    ),
    Documented(
        "GET /samples/:sample_uuid",
        Sample,
        """
{
  "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
  "name": "image.png",
  "data_type": "IMAGE",
  "attributes": {
    "image": {"url": "https://example.com/image.png"}
  },
  "metadata": {},
  "priority": 0,
  "created_at": "2020-04-10T20:09:31Z",
  "created_by": "jane",
  "dataset": "jane/cats"
}
""",
        mended=True,
    ),
    Documented(
        "POST /datasets/:owner/:dataset/samples, body",
        SampleCreate,
        """
{
  "name": "flowers.png",
  "attributes": {
    "image": {
      "url": "https://example.com/image.png"
    }
  },
  "metadata": {
    "city": "London",
    "weather": "cloudy",
    "robot_id": 3
  },
  "priority": 10
}
""",
    ),
    Documented(
        "POST /datasets/:owner/:dataset/samples",
        Sample,
        """
{
  "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
  "name": "image.png",
  "data_type": "IMAGE",
  "attributes": {
    "image": {
      "url": "https://example.com/image.png"
    }
  },
  "metadata": {
    "city": "London",
    "weather": "cloudy",
    "robot_id": 3
  },
  "priority": 10,
  "created_at": "2011-04-10T20:09:31Z",
  "created_by": "jane"
}
""",
        mended=True,
    ),
    Documented(
        "GET /labels/:sample_uuid/:labelset",
        Label,
        """
{
  "label_type": "segmentation-bitmap",
  "label_status": "LABELED",
  "attributes": {
    "format_version": "0.1",
    "annotations": [
      {
        "id": 1,
        "category_id": 0
      }
    ],
    "segmentation_bitmap": {
      "url": "https://segmentsai-staging.s3.eu-west-2.amazonaws.com/assets/davy/ddf55e99-1a6f-42d2-83e9-8657de3259a1.png"
    }
  },
  "created_at": "2020-04-10T20:09:31Z",
  "created_by": "jane"
}
""",
        mended=True,
    ),
    Documented(
        "PUT /labels/:sample_uuid/:labelset, body",
        Label,
        """
{
  "attributes": {
    "format_version": "0.1",
    "annotations": [
      {
        "id": 1,
        "category_id": 0
      }
    ],
    "segmentation_bitmap": {
      "url": "https://example.com/label.png"
    }
  },
  "label_status": "PRELABELED",
  "score": 0.9254
}
""",
        mended=True,
    ),
    Documented(
        "PUT /labels/:sample_uuid/:labelset",
        Label,
        """
{
  "attributes": {
    "format_version": "0.1",
    "annotations": [
      {
        "id": 1,
        "category_id": 0
      }
    ],
    "segmentation_bitmap": {
      "url": "https://example.com/label.png"
    }
  },
  "label_status": "PRELABELED",
  "created_at": "2011-04-10T20:09:31Z"
}
""",
        mended=True,
    ),
    Documented(
        "GET /datasets/:owner/:dataset/releases",
        list[Release],
        """
[
  {
    "name": "v0.1",
    "description": "My first release.",
    "attributes": {
      "url": "https://segmentsai-prod.s3.eu-west-2.amazonaws.com/releases/f0b0a34b-93ca-41a3-06ee-96ce6436dd41.json"
    },
    "status": "SUCCEEDED",
    "created_at": "2020-07-20T14:59:36.242218Z"
  }
]
""",
    ),
    Documented(
        "GET /datasets/:owner/:dataset/releases/:release_name",
        Release,
        """
{
  "name": "v0.1",
  "description": "My first release.",
  "attributes": {
    "url": "https://segmentsai-prod.s3.eu-west-2.amazonaws.com/releases/f0b0a34b-93ca-41a3-06ee-96ce6436dd41.json"
  },
  "status": "SUCCEEDED",
  "created_at": "2020-07-20T14:59:36.242218Z"
}
""",
    ),
    Documented(
        "POST /datasets/:owner/:dataset/releases, body",
        Release,
        """
{
  "name": "v0.1",
  "description": "My first release."
}
""",
    ),
    Documented(
        "POST /datasets/:owner/:dataset/releases",
        Release,
        """
{
  "name": "v0.1",
  "description": "My first release.",
  "status": "PENDING",
  "created_at": "2020-07-20T14:59:36.242218Z"
}
""",
    ),
    Documented(
        "older page: GET /datasets/:owner/:dataset/samples",
        list[Sample],
        """
[
  {
    "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
    "name": "image.png",
    "data_type": "IMAGE",
    "attributes": {
      "image": {"url": "https://example.com/image.png"}
    },
    "created_at": "2011-04-10T20:09:31Z",
    "created_by": "jane"
  }
]
""",
        mended=True,
    ),
    Documented(
        "older page: GET /samples/:sample_uuid",
        Sample,
        """
{
  "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
  "name": "image.png",
  "data_type": "IMAGE",
  "attributes": {
    "image": {"url": "https://example.com/image.png"}
  },
  "created_at": "2011-04-10T20:09:31Z",
  "created_by": "jane"
}
""",
        mended=True,
    ),
    Documented(
        "older page: POST /datasets/:owner/:dataset/samples, body",
        SampleCreate,
        """
{
  "name": "flowers.png",
  "attributes": {
    "image": {
      "url": "https://example.com/image.png"
    }
  }
}
""",
    ),
    Documented(
        "older page: POST /datasets/:owner/:dataset/samples",
        Sample,
        """
{
  "uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
  "name": "image.png",
  "data_type": "IMAGE",
  "attributes": {
    "image": {
      "url": "https://example.com/image.png"
    }
  },
  "created_at": "2011-04-10T20:09:31Z",
  "created_by": "jane"
}
""",
        mended=True,
    ),
    Documented(
        "older page: GET /labels/:sample_uuid/:task_name",
        Label,
        """
{
  "label_type": "segmentation-bitmap",
  "label_status": "LABELED",
  "attributes": {
    "annotations": [
      {
        "id": 1,
        "category_id": 0
      }
    ],
    "segmentation_bitmap": {
      "url": "https://segmentsai-staging.s3.eu-west-2.amazonaws.com/assets/davy/ddf55e99-1a6f-42d2-83e9-8657de3259a1.png"
    }
  },
  "created_at": "2011-04-10T20:09:31Z",
  "created_by": "jane"
}
""",
    ),
]
