"""Photographs and sidecars as cameras and programs write them, for the tests of `describe`."""

import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

NAMESPACES = (
    'xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:captioner="urn:captioner:xmp:1.0/" '
    'xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
)


def xmp(properties="", attributes='xmp:Rating="4"', padding=0):
    """A packet with a rating, keywords and further properties."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta {NAMESPACES}><rdf:RDF><rdf:Description rdf:about="uuid:1" {attributes}>'
        "<dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>"
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        f'{" " * padding}<?xpacket end="w"?>'
    ).encode()


def languages(name, **texts):
    """A property with texts in languages; `default` is the one without a language."""
    items = "".join(
        f'<rdf:li xml:lang="{language.replace("default", "x-default")}">{text}</rdf:li>'
        for language, text in texts.items()
    )
    return f"<{name}><rdf:Alt>{items}</rdf:Alt></{name}>"


def picture(seed=0, mode="RGB", size=(20, 24)):
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 4), "uint8")
    return Image.fromarray(pixels, "RGBA").convert(mode)


def encoded(format, image=None, **settings):
    """A picture as the content of a file."""
    file = io.BytesIO()
    (image or picture()).save(file, format, **settings)
    return file.getvalue()


def exif(comment=None, **more):
    """EXIF data of a camera, as Pillow takes them, with a user comment and tags such as tag10E."""
    data = Image.Exif()
    data[0x010F], data[0x0110] = "Canon", "EOS"
    data.get_ifd(0x8769)[0x829A] = 0.01
    if comment is not None:
        data.get_ifd(0x8769)[0x9286] = comment
    for tag, value in more.items():
        data[int(tag.removeprefix("tag"), 16)] = value
    return data


def segment(marker, data):
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def iptc(caption=None):
    """A segment of IPTC with a keyword, and a caption if there is one."""
    fields = [(25, b"beach"), *([(120, caption)] if caption else [])]
    data = b"".join(struct.pack(">BBBH", 0x1C, 2, n, len(text)) + text for n, text in fields)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)
    return segment(0xED, b"Photoshop 3.0\0" + block)


def _mpf(size, distance, second):
    """A segment that lists two pictures."""
    fields = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, 2), (0xB002, 7, 32, 50)]
    directory = b"".join(
        struct.pack("<HHI", *field[:3])
        + (field[3] if isinstance(field[3], bytes) else struct.pack("<I", field[3]))
        for field in fields
    )
    entries = struct.pack("<IIIHH", 0x20030000, size, 0, 0, 0)
    entries += struct.pack("<IIIHH", 0, second, distance, 0, 0)
    content = b"II*\0" + struct.pack("<IH", 8, 3) + directory + bytes(4) + entries
    return segment(0xE2, b"MPF\0" + content)


def jpeg(*kinds, packet=None, more=b""):
    """A JPEG with segments in an order: "exif", "xmp", "icc", "mpf", "iptc", "comment"."""
    body = encoded("JPEG")[2:]
    body = body[2 + struct.unpack(">H", body[2:4])[0] :]  # without JFIF
    second = encoded("JPEG", picture(1, "L"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    parts = {
        "exif": segment(0xE1, exif().tobytes()),
        "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + (packet or xmp())),
        "icc": segment(0xE2, b"ICC_PROFILE\0\1\1" + profile),
        "iptc": iptc(),
        "comment": segment(0xFE, b"Created with GIMP"),
        "mpf": _mpf(0, 0, 0),
    }
    parts["mpf"] = b"" if "mpf" not in kinds else parts["mpf"]
    first = b"\xff\xd8" + b"".join(parts[kind] for kind in kinds) + more + body
    if "mpf" not in kinds:
        return first
    header = first.index(b"MPF\0") + 4
    listed = _mpf(len(first), len(first) - header, len(second))
    return first.replace(parts["mpf"], listed) + second


def tiff_with_inner(order="<"):
    """A TIFF whose first page has a smaller picture in a SubIFD, and a tag of nobody's."""

    def directory(side, pixels, *more):
        fields = [(256, 3, 1, side), (257, 3, 1, side), (258, 3, 1, 8), (259, 3, 1, 1)]
        fields += [(262, 3, 1, 1), (273, 4, 1, pixels), (278, 3, 1, side)]
        fields += [(279, 4, 1, side * side), *more]
        packed = b"".join(
            struct.pack(order + "HHI", tag, kind, count)
            + struct.pack(order + ("HH" if kind == 3 else "I"), *([value, 0][: 4 - kind + 1]))
            for tag, kind, count, value in sorted(fields)
        )
        return struct.pack(order + "H", len(fields)) + packed + bytes(4)

    inner = directory(4, 8)
    outer = directory(8, 24, (330, 4, 1, 88), (50000, 4, 1, 77))
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 88 + len(inner))
    return header + bytes(range(16)) + bytes(range(64)) + inner + outer


def pages(count, mode="RGB", **settings):
    """A TIFF of several pages."""
    images = [picture(seed, mode) for seed in range(count)]
    return encoded("TIFF", images[0], save_all=True, append_images=images[1:], **settings)


def chunk(kind, data):
    """A chunk of a PNG."""
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks, after=(), **settings):
    """A PNG with chunks before and after its pixels."""
    content = encoded("PNG", **settings)
    place, end = content.index(b"IDAT") - 4, len(content) - 12
    before, after = b"".join(chunks), b"".join(after)
    return content[:place] + before + content[place:end] + after + content[end:]


def png_xmp(packet, compressed=False):
    """A chunk of XMP."""
    data = zlib.compress(packet) if compressed else packet
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes([compressed, 0, 0, 0]) + data)


DARKTABLE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/" '
    b'x:xmptk="XMP Core 4.4.0-Exiv2">\n <rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n  <rdf:Description rdf:about=""\n'
    b'    xmlns:xmp="http://ns.adobe.com/xap/1.0/"\n    xmlns:darktable="http://darktable.sf.net/"\n'
    b'   xmp:Rating="3"\n   darktable:xmp_version="5">\n   <darktable:history>\n    <rdf:Seq>\n'
    b'     <rdf:li\n      darktable:num="0"\n      darktable:operation="exposure"\n'
    b'      darktable:params="0000a040"/>\n    </rdf:Seq>\n   </darktable:history>\n'
    b"  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n"
)
LIGHTROOM = xmp(
    '<xmp:Label>Red</xmp:Label><crs:ToneCurve xmlns:crs="http://ns.adobe.com/camera-raw-settings/'
    '1.0/"><rdf:Seq><rdf:li>0, 0</rdf:li><rdf:li>255, 255</rdf:li></rdf:Seq></crs:ToneCurve>',
    padding=2000,
)
DIGIKAM = xmp(
    '<digiKam:TagsList xmlns:digiKam="http://www.digikam.org/ns/1.0/"><rdf:Seq><rdf:li>Places/Sea'
    "</rdf:li></rdf:Seq></digiKam:TagsList><xmp:CreatorTool>digiKam-8.2</xmp:CreatorTool>"
)


REGIONS = (
    '<mwg-rs:Regions rdf:parseType="Resource" '
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#">'
    '<mwg-rs:AppliedToDimensions stDim:w="24" stDim:h="20" stDim:unit="pixel"/>'
    "<mwg-rs:RegionList><rdf:Bag>%s</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
)


def lightroom_faces(*faces, kind="Face"):
    """Regions (name, x, y) as Lightroom writes them."""
    return REGIONS % "".join(
        f'<rdf:li><rdf:Description mwg-rs:Rotation="0.00000" mwg-rs:Name="{name}" '
        f'mwg-rs:Type="{kind}"><mwg-rs:Area stArea:h="0.1" stArea:w="0.1" stArea:x="{x}" '
        f'stArea:y="{y}"/></rdf:Description></rdf:li>'
        for name, x, y in faces
    )


def digikam_faces(*faces):
    """Regions (name, x, y) as digiKam writes them, in both schemas."""
    people = "".join(
        f'<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{name}</mwg-rs:Name><mwg-rs:Type>Face'
        f'</mwg-rs:Type><mwg-rs:Area stArea:x="{x}" stArea:y="{y}" stArea:w="0.1" stArea:h="0.1" '
        'stArea:unit="normalized"/></rdf:li>'
        for name, x, y in faces
    )
    return REGIONS % people + microsoft_faces(*faces)


def microsoft_faces(*faces):
    """Regions (name, x, y) as Windows Live Photo Gallery wrote them."""
    people = "".join(
        f'<rdf:li MPReg:Rectangle="{x - 0.05}, {y - 0.05}, 0.1, 0.1" '
        f'MPReg:PersonDisplayName="{name}"/>'
        for name, x, y in faces
    )
    return (
        '<MP:RegionInfo xmlns:MP="http://ns.microsoft.com/photo/1.2/" rdf:parseType="Resource" '
        'xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" '
        'xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#">'
        f"<MPRI:Regions><rdf:Bag>{people}</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
    )


def folder():
    """Over sixty files by name: photographs in every format, and sidecars, without captions."""
    files = {}
    for order in itertools.permutations(("exif", "xmp", "icc", "mpf")):
        files[f"{'-'.join(order)}.jpg"] = jpeg(*order)
    for order in itertools.permutations(("exif", "mpf", "iptc")):
        files[f"{'-'.join(order)}.jpg"] = jpeg(*order, "comment")
    files["plain.jpg"] = encoded("JPEG")
    files["padded.jpg"] = jpeg("exif", "mpf", "xmp", packet=xmp(padding=2000))
    for count in (1, 4, 5, 10):
        files[f"{count}.tif"] = pages(count, exif=exif())
    files["lzw.tif"] = pages(6, compression="tiff_lzw")
    files["jpeg.tif"] = pages(3, compression="jpeg")
    files["big.tif"] = pages(7, big_tiff=True)
    files["xmp.tif"] = pages(2, tiffinfo={700: xmp()})
    files["padded.tif"] = pages(5, tiffinfo={700: xmp(padding=2000)})
    files["deep.tif"] = encoded("TIFF", picture(mode="L").convert("I;16"))
    files["little.tif"], files["motorola.tif"] = tiff_with_inner("<"), tiff_with_inner(">")
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "Sea")
    frames = {"save_all": True, "append_images": [picture(1), picture(2)]}
    files["plain.png"] = png()
    files["exif.png"] = png(exif=exif(), pnginfo=text)
    files["xmp.png"] = png(png_xmp(xmp()))
    files["compressed.png"] = png(png_xmp(xmp(), compressed=True))
    files["after.png"] = png(after=[png_xmp(xmp()), chunk(b"tEXt", b"Title\0Sea")])
    files["frames.png"] = png(**frames)
    files["colours.png"] = png(image=picture().quantize(16))
    files["lossy.webp"] = encoded("WEBP")
    files["lossless.webp"] = encoded("WEBP", lossless=True)
    files["alpha.webp"] = encoded("WEBP", picture(mode="RGBA"), lossless=True)
    files["frames.webp"] = encoded("WEBP", **frames)
    files["xmp.webp"] = encoded("WEBP", exif=exif(), xmp=xmp())
    for program, sidecar in (("dt", DARKTABLE), ("lr", LIGHTROOM), ("dk", DIGIKAM)):
        files[f"{program}.bmp"], files[f"{program}.bmp.xmp"] = encoded("BMP"), sidecar
    return files
