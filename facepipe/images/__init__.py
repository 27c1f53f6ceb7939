"""Images: reading any format, writing them, and finding them below folders.

In memory an image is RGB, uint8, H×W×3, in the orientation in which it should be displayed (EXIF applied).
"""

from facepipe.images.formats import EXTENSIONS, KINDS, VIDEO_EXTENSIONS
from facepipe.images.listing import each_page, list_images, list_images_by_root
from facepipe.images.marking import read_marked
from facepipe.images.pages import file_and_page, file_of, is_there
from facepipe.images.photo import Photo, read_photo
from facepipe.images.pixels import require_pixels
from facepipe.images.reading import DAMAGED, MAX_PIXELS, Picture, read_encoded, read_image, read_rgb
from facepipe.images.remote import RemotePhoto, is_web_address
from facepipe.images.stored_photo import Place, StoredPhoto, is_collection
from facepipe.images.writing import encode_rgb, write_rgb

__all__ = [
    "DAMAGED",
    "EXTENSIONS",
    "KINDS",
    "MAX_PIXELS",
    "VIDEO_EXTENSIONS",
    "Photo",
    "Picture",
    "Place",
    "RemotePhoto",
    "StoredPhoto",
    "each_page",
    "encode_rgb",
    "file_and_page",
    "file_of",
    "is_collection",
    "is_there",
    "is_web_address",
    "list_images",
    "list_images_by_root",
    "read_encoded",
    "read_image",
    "read_marked",
    "read_photo",
    "read_rgb",
    "require_pixels",
    "write_rgb",
]
