"""LeRobot data sets, version 3.0 of the format: frames in parquet, images in mp4."""
