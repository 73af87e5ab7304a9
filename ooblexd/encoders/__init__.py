"""Step 4a: pictures to bytes, once a frame a stream, only while somebody looks."""
