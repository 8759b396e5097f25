"""An exported captioner, run by onnxruntime: neither TensorFlow nor Keras is imported."""
