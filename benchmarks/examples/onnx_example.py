"""Keypoints with an exported model and without ttpose: python onnx_example.py person.onnx photo.jpg X Y WIDTH HEIGHT"""

import json
import sys

import cv2
import numpy as np
import onnxruntime

model, photo, *box = sys.argv[1:]
x, y, width, height = map(float, box)  # of the person, in pixels of the photo
session = onnxruntime.InferenceSession(model)
about, size = session.get_modelmeta().custom_metadata_map, session.get_inputs()[0].shape[2]
image = cv2.cvtColor(cv2.imread(photo), cv2.COLOR_BGR2RGB)
zoom = size / (float(about["crop_pad"]) * max(width, height))
left, top = (size - 1) / 2 - zoom * np.array([x + width / 2, y + height / 2])
crop = cv2.warpAffine(image, np.array([[zoom, 0, left], [0, zoom, top]]), (size, size))
(points,) = session.run(["keypoints"], {"images": crop.transpose(2, 0, 1)[None]})
for name, (u, v, score) in zip(json.loads(about["keypoints"]), points[0], strict=True):
    print(f"{name} {(u - left) / zoom:.2f} {(v - top) / zoom:.2f} {score:.3f}")
