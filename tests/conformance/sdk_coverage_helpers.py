"""The SDK's functions that make no call, and its `SegmentsDataset`, with their counterparts here."""

from __future__ import annotations

HELPERS = {
    "utils.bitmap2file": "`images.encode_bitmap`, `client.labels.put_bitmap`",
    "utils.get_semantic_bitmap": "`images.semantic`",
    "utils.load_image_from_url": "`client.assets.read`, then `images.load_image` of the bytes",
    "utils.load_label_bitmap_from_url": "`client.labels.get_bitmap`, `images.decode_bitmap`",
    "utils.handle_exif_rotation": "`images.load_image`",
    "utils.load_release": "`client.releases.open`, `client.releases.download`",
    "utils.transform_label_to_ego_coordinates": "`transform_to_ego`",
    "utils.export_dataset": "`client.releases.export`",
    "utils.show_polygons": "`export.draw_polygons`",
    "utils.load_pointcloud_from_url": "`pointclouds.load_pointcloud_from_url`",
    "utils.array_to_pcd": "`pointclouds.array_to_pcd`",
    "utils.ply_to_pcd": "`pointclouds.ply_to_pcd`",
    "utils.las_to_pcd": "`pointclouds.las_to_pcd`",
    "utils.sample_pcd": "`pointclouds.sample_pcd`",
    "utils.cuboid_to_segmentation": "`pointclouds.cuboid_to_segmentation`",
    "utils.find_camera_rotation": "`pointclouds.find_camera_rotation`",
    "utils.add_kinematics_to_label": "`pointclouds.add_kinematics_to_label`",
    "export.colorize": "`images.colorize`",
    "export.export_coco_instance": "`client.releases.export`",
    "export.export_coco_panoptic": "`client.releases.export`",
    "export.export_image": "`client.releases.export`",
    "export.export_polygon": "`client.releases.export`",
    "export.export_yolo": "`client.releases.export`",
    "dataset.SegmentsDataset": "`client.releases.iterate`, `client.samples.stream`",
}
"""``images``, ``export`` and ``pointclouds`` are modules of `segments_async`."""
