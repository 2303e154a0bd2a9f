// Boxes for tests of the annotator.

export const boxAt = (left, label = "apple", more = {}) => ({
  label,
  left,
  top: 10,
  width: 20,
  height: 20,
  polygon: null,
  ...more,
});
