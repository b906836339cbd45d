"""The names of what was unusual about an image that was read all the same; each is counted once per image."""

SIXTEEN_BIT = "16 bits scaled to 8"
OWN_RANGE = "scaled by its own range"
FIRST_FRAME = "first frame of several"
BROKEN_EXIF = "broken EXIF ignored"
EXTREME_SHAPE = "one side over 20 times the other"
COLOUR_AS_GREY = "colour read as grey"
ONE_COLOUR = "one colour"

EXTREME_RATIO = 20

SENTENCES = {
    SIXTEEN_BIT: "{n} images have 16 bits per pixel and were scaled to 8",
    OWN_RANGE: "{n} images hold floats or 32-bit integers and were scaled by their own smallest and largest value",
    FIRST_FRAME: "{n} images have several frames or pages; the first was read",
    BROKEN_EXIF: "{n} images have broken EXIF data and were read without rotation",
    EXTREME_SHAPE: "{n} images have one side more than 20 times the other; most of their content may be cropped away",
    COLOUR_AS_GREY: "{n} colour images were read as grey like the rest of the set",
    ONE_COLOUR: "{n} images are one colour",
}
