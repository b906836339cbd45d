"""The names of what was unusual about an image that was read all the same; each is counted once per image."""

SIXTEEN_BIT = "16 bits scaled to 8"
OWN_RANGE = "scaled by its own range"
FIRST_FRAME = "first frame of several"
BROKEN_EXIF = "broken EXIF ignored"
EXTREME_SHAPE = "one side over 20 times the other"
COLOUR_AS_GREY = "colour read as grey"
ONE_COLOUR = "one colour"

EXTREME_RATIO = 20

# kind -> what is said of one image, and of n
SENTENCES = {
    SIXTEEN_BIT: (
        "1 image has 16 bits per pixel and was scaled to 8",
        "{n} images have 16 bits per pixel and were scaled to 8",
    ),
    OWN_RANGE: (
        "1 image holds floats or 32-bit integers and was scaled by its own smallest and largest value",
        "{n} images hold floats or 32-bit integers and were scaled by their own smallest and largest value",
    ),
    FIRST_FRAME: (
        "1 image has several frames or pages; the first was read",
        "{n} images have several frames or pages; the first was read",
    ),
    BROKEN_EXIF: (
        "1 image has broken EXIF data and was read without rotation",
        "{n} images have broken EXIF data and were read without rotation",
    ),
    EXTREME_SHAPE: (
        "1 image has one side more than 20 times the other; most of it may be cropped away",
        "{n} images have one side more than 20 times the other; most of them may be cropped away",
    ),
    COLOUR_AS_GREY: (
        "1 colour image was read as grey, like the rest of the set",
        "{n} colour images were read as grey, like the rest of the set",
    ),
    ONE_COLOUR: ("1 image is one colour", "{n} images are one colour"),
}
