"""Networks in torch: built by name, tuned in part or whole, written as canonical ONNX files."""
