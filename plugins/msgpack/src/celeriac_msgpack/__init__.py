"""MessagePack: JSON's values and bytes, in fewer bytes."""
