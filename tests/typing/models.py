"""What a strict type checker sees of samples, labels and categories; only checkers read this file, nothing runs it."""

from typing import Any, assert_never, assert_type

from segments_async import (
    PCD,
    URL,
    XYZ,
    XYZW,
    Annotation,
    AsyncSegments,
    CalibratedImage,
    CheckboxTaskAttribute,
    DistortionBrownConrady,
    DistortionFisheye,
    EgoPose,
    ImageSampleAttributes,
    ImageSegmentationLabelAttributes,
    ImageSequenceSampleAttributes,
    ImageSequenceSegmentationLabelAttributes,
    ImageSequenceVectorAnnotation,
    ImageSequenceVectorLabelAttributes,
    ImageVectorAnnotation,
    ImageVectorFrame,
    ImageVectorLabelAttributes,
    InputType,
    Label,
    LabelPut,
    LabelSensor,
    LabelStatus,
    Link,
    MultiSensorLabelAttributes,
    MultiSensorSampleAttributes,
    NumberTaskAttribute,
    PointcloudCuboidAnnotation,
    PointcloudCuboidLabelAttributes,
    PointcloudSampleAttributes,
    PointcloudSegmentationLabelAttributes,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceCuboidLabelAttributes,
    PointcloudSequenceSampleAttributes,
    PointcloudSequenceSegmentationLabelAttributes,
    PointcloudSequenceVectorLabelAttributes,
    PointcloudVectorAnnotation,
    PointcloudVectorLabelAttributes,
    ReleaseSample,
    Sample,
    SampleAttributes,
    SampleSensor,
    SelectTaskAttribute,
    TaskAttributeCategory,
    TaskAttributes,
    structure,
    transform_to_ego,
)


def read_label(label: Label) -> None:  # noqa: C901, PLR0912 (a branch for each type)
    for sensor, frame, annotation in label.annotations():
        assert_type(sensor, str | None)
        assert_type(frame, int | None)
        assert_type(annotation, Annotation)
        assert_type(annotation.category_id, int)
        if isinstance(annotation, PointcloudCuboidAnnotation):
            assert_type(annotation.position, XYZ)
            assert_type(annotation.rotation, XYZW | None)
            annotation.position.x += 1
    attributes = label.attributes
    match attributes:
        case ImageSegmentationLabelAttributes():
            assert_type(attributes.segmentation_bitmap, URL)
        case ImageVectorLabelAttributes():
            assert_type(attributes.annotations, list[ImageVectorAnnotation])
            assert_type(attributes.links, list[Link] | None)
        case PointcloudSegmentationLabelAttributes():
            assert_type(attributes.point_annotations, list[int])
        case PointcloudCuboidLabelAttributes():
            assert_type(attributes.annotations, list[PointcloudCuboidAnnotation])
        case PointcloudVectorLabelAttributes():
            one = attributes.annotations[0]
            assert_type(one, PointcloudVectorAnnotation | PointcloudCuboidAnnotation | dict[str, Any])
        case ImageSequenceVectorLabelAttributes():
            assert_type(attributes.frames[0], ImageVectorFrame)
            assert_type(attributes.frames[0].annotations[0].track_id, int)
        case PointcloudSequenceCuboidLabelAttributes():
            assert_type(attributes.frames[0].annotations[0], PointcloudSequenceCuboidAnnotation)
        case MultiSensorLabelAttributes():
            assert_type(attributes.sensors, list[LabelSensor])
            assert_type(attributes.sensors[0].task_type, str)
        case (
            ImageSequenceSegmentationLabelAttributes()
            | PointcloudSequenceSegmentationLabelAttributes()
            | PointcloudSequenceVectorLabelAttributes()
        ):
            assert_type(attributes.format_version, str | float | None)
        case dict() | list() | None:
            pass
        case _:
            assert_never(attributes)


def read_sample(sample: Sample) -> None:
    attributes = sample.attributes
    if isinstance(attributes, PointcloudSequenceSampleAttributes):
        cloud = attributes.frames[0]
        assert_type(cloud, PointcloudSampleAttributes)
        assert_type(cloud.pcd, PCD)
        assert_type(cloud.ego_pose, EgoPose | None)
        for image in cloud.images or []:
            assert_type(image, CalibratedImage)
            assert_type(image.distortion, DistortionFisheye | DistortionBrownConrady | dict[str, Any] | None)
    elif isinstance(attributes, MultiSensorSampleAttributes):
        assert_type(attributes.sensors, list[SampleSensor])
    elif isinstance(attributes, ImageSampleAttributes):
        assert_type(attributes.image.url, str)


async def write(client: AsyncSegments, uuid: str) -> None:
    box = ImageVectorAnnotation.bbox((1, 2), (3.5, 4), id=1, category_id=1)
    assert_type(box, ImageVectorAnnotation)
    tracked = ImageSequenceVectorAnnotation.draw("polygon", [(0, 0), (1, 1), (2, 0)], id=1, category_id=1, track_id=1)
    assert_type(tracked, ImageSequenceVectorAnnotation)
    boxes = [box]
    attributes = ImageVectorLabelAttributes(annotations=boxes, links=[Link(from_id=1, to_id=2)])
    await client.labels.put(uuid, "ground-truth", attributes, label_status=LabelStatus.REVIEWED)
    cuboid = PointcloudCuboidAnnotation.from_yaw((0, 0, 0), (4, 2, 1.5), 0.5, id=1, category_id=1)
    LabelPut(uuid, PointcloudCuboidLabelAttributes(annotations=[cuboid]))
    pose = EgoPose(position=XYZ(0, 0, 0), heading=XYZW.from_yaw(0.5))
    clouds = PointcloudSequenceSampleAttributes.from_urls(["0.pcd"], ego_poses=[pose], timestamps=[0])
    lidar = SampleSensor(name="Lidar", task_type="pointcloud-cuboid-sequence", attributes=clouds)
    sample = await client.samples.create("jane/cars", "0", MultiSensorSampleAttributes(sensors=[lidar]))
    await client.samples.create("jane/clips", "0", ImageSequenceSampleAttributes.from_urls(["0.png"]))
    assert_type(transform_to_ego(await client.labels.get(uuid), sample), Label)
    color = SelectTaskAttribute(name="color", values=["red"], default_value="red")
    car = TaskAttributeCategory(name="car", id=1, attributes=[color, CheckboxTaskAttribute(name="parked")])
    await client.datasets.create("cars", task_attributes=TaskAttributes(categories=[car]))
    for attribute in car.attributes or []:
        if isinstance(attribute, NumberTaskAttribute):
            assert_type(attribute.min, float | str | None)
            assert_type(attribute.input_type == InputType.NUMBER, bool)
    assert_type(structure({}, TaskAttributes), TaskAttributes)
    assert_type(structure({}, SampleAttributes), Any)


def by_property(sample: Sample, label: Label, release_sample: ReleaseSample) -> None:
    assert_type(sample.image.url, str)
    assert_type(release_sample.image.url, str)
    assert_type(sample.image_sequence.frames[0].image.url, str)
    assert_type(sample.pointcloud.pcd.url, str)
    assert_type(sample.pointcloud_sequence.frames[0].ego_pose, EgoPose | None)
    assert_type(sample.multisensor.sensors[0].pointcloud_sequence, PointcloudSequenceSampleAttributes)
    assert_type(label.vector.annotations, list[ImageVectorAnnotation])
    assert_type(label.segmentation.segmentation_bitmap.url, str)
    assert_type(label.segmentation_sequence, ImageSequenceSegmentationLabelAttributes)
    assert_type(label.vector_sequence.frames[0], ImageVectorFrame)
    assert_type(label.pointcloud_cuboid.annotations[0].position, XYZ)
    assert_type(label.pointcloud_segmentation, PointcloudSegmentationLabelAttributes)
    assert_type(label.pointcloud_vector, PointcloudVectorLabelAttributes)
    assert_type(label.pointcloud_cuboid_sequence, PointcloudSequenceCuboidLabelAttributes)
    assert_type(label.pointcloud_segmentation_sequence, PointcloudSequenceSegmentationLabelAttributes)
    assert_type(label.pointcloud_vector_sequence, PointcloudSequenceVectorLabelAttributes)
    assert_type(label.multisensor.sensors[0].vector_sequence, ImageSequenceVectorLabelAttributes)


def by_match(sample: Sample, label: Label) -> str | int:
    match sample.attributes:
        case ImageSampleAttributes(image=URL(url=url)):
            return assert_type(url, str)
        case PointcloudSampleAttributes(pcd=pcd):
            return assert_type(pcd.url, str)
        case _:
            pass
    match label.attributes:
        case ImageVectorLabelAttributes(annotations=annotations):
            return len(assert_type(annotations, list[ImageVectorAnnotation]))
        case _:
            return 0
