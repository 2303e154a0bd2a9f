"""Answer programs written for Amazon Rekognition Custom Labels."""
