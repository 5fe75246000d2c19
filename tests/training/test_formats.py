"""The same two defects on the same pictures, read from each format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.errors import DataError
from inspector.training.datasets import Dataset, read_dataset

WIDTH, HEIGHT = 40, 20


def picture(path: Path, *, width: int = WIDTH, height: int = HEIGHT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(np.full((height, width, 3), 90, dtype=np.uint8)))
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def seen(dataset: Dataset) -> dict[str, list[tuple[str, list[float]]]]:
    """Return label and corners by file name, of every split."""
    return {
        p.picture.name: [(a.label, a.box.as_list()) for a in p.annotations]
        for p in (*dataset.training, *dataset.validation, *dataset.test)
    }


def names(dataset: Dataset) -> tuple[list[str], list[str], list[str]]:
    return tuple(
        [p.picture.name for p in part]
        for part in (dataset.training, dataset.validation, dataset.test)
    )  # type: ignore[return-value]


def mistakes(root: Path, format: str) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_dataset(root, format=format, splits=("training", "validation", "test"))
    return str(caught.value).splitlines()[1:]


EXPECTED = {
    "a.png": [("scratch", [4, 2, 14, 10])],
    "b.png": [("dent", [0, 0, 40, 20])],
    "c.png": [],
}


# --- YOLO -------------------------------------------------------------------------------------


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    for name, split in (("a", "train"), ("b", "val"), ("c", "test")):
        picture(tmp_path / split / "images" / f"{name}.png")
    write(tmp_path / "train" / "labels" / "a.txt", "0 0.225 0.3 0.25 0.4\n")
    write(tmp_path / "val" / "labels" / "b.txt", "1 0.5 0.5 1 1\n\n")
    write(
        tmp_path / "data.yaml",
        "names: [scratch, dent]\ntrain: train/images\nval: val/images\ntest: test/images\n",
    )
    return tmp_path


ALL = ("training", "validation", "test")


def test_yolo_gives_names_boxes_and_splits(yolo: Path) -> None:
    dataset = read_dataset(yolo, format="yolo", splits=ALL)
    assert dataset.labels == ("scratch", "dent")
    assert seen(dataset) == EXPECTED
    assert names(dataset) == (["a.png"], ["b.png"], ["c.png"])


def test_yolo_knows_numbered_names_lists_folders_and_outlines(yolo: Path) -> None:
    (yolo / "train" / "labels" / "a.txt").write_text("0 0.1 0.1 0.35 0.2 0.2 0.5\n")
    write(yolo / "val.txt", "./val/images/b.png\n")
    write(
        yolo / "data.yaml",
        "names: {1: dent, 0: scratch}\npath: /somewhere/else\ntrain: [../train/images]\n"
        "val: val.txt\n",
    )
    dataset = read_dataset(yolo, format="yolo")
    assert dataset.labels == ("scratch", "dent")
    assert seen(dataset) == {name: EXPECTED[name] for name in ("a.png", "b.png")}


def test_yolo_lists_every_mistake_with_file_and_line(yolo: Path) -> None:
    write(yolo / "train" / "labels" / "a.txt", "7 0.5 0.5 0.1 0.1\n0 0.5 wide 1 1\n0 1 1 0.5 0.5\n")
    (yolo / "test" / "images" / "c.png").unlink()
    found = "\n".join(mistakes(yolo, "yolo"))
    assert "train/labels/a.txt:1: expected a class from 0 to 1, found 7" in found
    assert "train/labels/a.txt:2: expected 'class x y width height'" in found
    assert "train/labels/a.txt:3: expected a box inside 40 × 20 px" in found
    assert "test/images: expected pictures, found an empty folder" in found


def test_yolo_without_any_label_file_is_a_mistake(yolo: Path) -> None:
    for path in yolo.rglob("labels/*.txt"):
        path.unlink()
    assert any("nor for any of the 3 pictures" in mistake for mistake in mistakes(yolo, "yolo"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: [a", "expected YAML"),
        ("- 1", "expected keys names, train and val, found list"),
        ("train: train/images", "names: expected the classes"),
        ("names: {0: a, 2: b}\ntrain: train/images", "names: expected the classes"),
        ("names: [scratch, dent]", "expected pictures under train or val, found none"),
        ("names: [scratch, dent]\ntrain: nowhere", "expected a folder or a .txt list"),
    ],
)
def test_a_yolo_list_that_does_not_fit_is_refused(yolo: Path, text: str, expected: str) -> None:
    write(yolo / "data.yaml", text)
    assert any(expected in mistake for mistake in mistakes(yolo, "yolo"))


# --- COCO -------------------------------------------------------------------------------------


def coco_content(name: str, *boxes: tuple[int, list[float]]) -> dict[str, list[dict[str, object]]]:
    return {
        "images": [{"id": 5, "file_name": name, "width": WIDTH, "height": HEIGHT}],
        "annotations": [
            {"id": 70 + number, "image_id": 5, "category_id": category, "bbox": bbox}
            for number, (category, bbox) in enumerate(boxes)
        ],
        "categories": [{"id": 3, "name": "dent"}, {"id": 1, "name": "scratch"}],
    }


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    contents = {
        "train2017": coco_content("a.png", (1, [4, 2, 10, 8])),
        "val2017": coco_content("b.png", (3, [0, 0, 40, 20])),
        "test2017": coco_content("c.png"),
    }
    for split, content in contents.items():
        picture(tmp_path / split / str(content["images"][0]["file_name"]))
        write(tmp_path / "annotations" / f"instances_{split}.json", json.dumps(content))
    return tmp_path


def test_coco_gives_names_boxes_and_splits(coco: Path) -> None:
    dataset = read_dataset(coco, format="coco", splits=ALL)
    assert dataset.labels == ("scratch", "dent")
    assert seen(dataset) == EXPECTED
    assert names(dataset) == (["a.png"], ["b.png"], ["c.png"])


def test_coco_files_may_lie_in_the_folder_itself_and_crowds_are_left_out(coco: Path) -> None:
    content = coco_content("a.png", (1, [4, 2, 10, 8]), (3, [0, 0, 9, 9]))
    content["annotations"][1]["iscrowd"] = 1
    for path in (coco / "annotations").iterdir():
        path.rename(coco / path.name)
    write(coco / "instances_train2017.json", json.dumps(content))
    assert seen(read_dataset(coco, format="coco", splits=ALL)) == EXPECTED


def test_coco_lists_every_mistake_with_the_annotation(coco: Path) -> None:
    content = coco_content(
        "a.png", (9, [1, 1, 2, 2]), (1, [38, 2, 10, 8]), (1, [3, 3, 0, 5]), (1, [1, 1, 2, 2])
    )
    content["annotations"][3]["image_id"] = 6
    content["images"].append({"id": 8, "file_name": "gone.png"})
    write(coco / "annotations" / "instances_train2017.json", json.dumps(content))
    write(coco / "annotations" / "instances_val2017.json", '{"images": [{"id": 1}]}')
    write(coco / "annotations" / "instances_test2017.json", "{")
    found = "\n".join(mistakes(coco, "coco"))
    assert "annotation 70: expected a listed category, found 9" in found
    assert "annotation 71: expected a box inside 40 × 20 px, found 38 2 48 10" in found
    assert "annotation 72: expected a box with x0 < x1" in found
    assert "annotation 73: expected the id of a listed picture, found 6" in found
    assert "image 8: found no picture gone.png" in found
    assert "instances_val2017.json: images.0.file_name: Field required" in found
    assert "instances_val2017.json: categories: Field required" in found
    assert "instances_test2017.json: expected JSON" in found


# --- Pascal VOC -------------------------------------------------------------------------------


def voc_object(label: str, *corners: object) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    inside = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object>\n<name>{label}</name><bndbox>{inside}</bndbox></object>\n"


def voc_file(root: Path, stem: str, *objects: str, head: str = "") -> Path:
    return write(
        root / "Annotations" / f"{stem}.xml",
        f"{head}<annotation>\n<filename>{stem}.png</filename>\n<size><width>{WIDTH}</width>"
        f"<height>{HEIGHT}</height></size>\n{''.join(objects)}</annotation>",
    )


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for stem, split in (("a", "train"), ("b", "val"), ("c", "test")):
        picture(tmp_path / "JPEGImages" / f"{stem}.png")
        write(tmp_path / "ImageSets" / "Main" / f"{split}.txt", f"{stem}\n")
    write(tmp_path / "ImageSets" / "Main" / "trainval.txt", "a\nb\n")
    voc_file(tmp_path, "a", voc_object("scratch", 5, 3, 14, 10))
    voc_file(tmp_path, "b", voc_object("dent", 1, 1, 40, 20))
    voc_file(tmp_path, "c")
    return tmp_path


def test_voc_gives_names_boxes_and_splits(voc: Path) -> None:
    dataset = read_dataset(voc, format="voc", splits=ALL)
    assert dataset.labels == ("dent", "scratch")
    assert seen(dataset) == EXPECTED
    assert names(dataset) == (["a.png"], ["b.png"], ["c.png"])


def test_voc_lists_every_mistake_with_file_and_line(voc: Path) -> None:
    voc_file(
        voc,
        "a",
        voc_object("scratch", 5, 3, 60, 10),
        voc_object("scratch", 5, "deep", 14, 10),
        voc_object("dent", 14, 3, 5, 10),
    )
    write(voc / "Annotations" / "b.xml", "<annotation><object>")
    write(voc / "ImageSets" / "Main" / "test.txt", "nowhere\n")
    found = "\n".join(mistakes(voc, "voc"))
    assert "Annotations/a.xml:4: expected a box inside 40 × 20 px, found 4 2 60 10" in found
    assert "Annotations/a.xml:6: expected an object with name, xmin" in found
    assert "Annotations/a.xml:8: expected a box with x0 < x1" in found
    assert "Annotations/b.xml: expected plain XML" in found
    assert "Annotations/nowhere.xml: expected annotations, found none" in found


def test_voc_with_entities_is_refused(voc: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    voc_file(voc, "a", voc_object("&b;", 5, 3, 14, 10), head=bomb)
    assert any("found the declaration of an entity 'a'" in m for m in mistakes(voc, "voc"))


# --- jsonl ------------------------------------------------------------------------------------


def jsonl(root: Path, *lines: dict[str, object]) -> Path:
    write(root / "index.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    for line in lines:
        picture(root / str(line["image"]))
    return root


def test_jsonl_gives_names_boxes_splits_and_groups(tmp_path: Path) -> None:
    both = {"width": WIDTH, "height": HEIGHT}
    root = jsonl(
        tmp_path,
        {
            "image": "x/a.png",
            "label": "anomaly",
            "defect": "scratch",
            "boxes": [[4, 2, 14, 10]],
            "split": "train",
            "group": "part 1",
            **both,
        },
        {
            "image": "x/b.png",
            "boxes": [{"label": "dent", "box": [0, 0, 40, 20]}],
            "split": "validation",
        },
        {"image": "x/c.png", "label": "normal", "defect": None, "boxes": None, "split": "test"},
    )
    dataset = read_dataset(root, format="jsonl", splits=ALL)
    assert dataset.labels == ("dent", "scratch")
    assert seen(dataset) == EXPECTED
    assert names(dataset) == (["a.png"], ["b.png"], ["c.png"])
    assert dataset.training[0].group == "part 1"
    assert (dataset.validation[0].id, dataset.validation[0].group) == ("x__b", "x__b")


def test_jsonl_lists_every_mistake_with_its_line(tmp_path: Path) -> None:
    root = jsonl(
        tmp_path,
        {"image": "a.png", "boxes": [[1, 2, 3]]},
        {"image": "b.png", "boxes": [[1, 2, 3, 4]]},
        {"image": "c.png", "defect": "dent", "boxes": None},
        {"image": "d.png", "split": "later"},
        {"image": "e.png", "width": 41, "height": 20},
        {"image": "f.png", "defect": "dent", "boxes": [[1, 2, 3, 40]]},
    )
    with (root / "index.jsonl").open("a") as file:
        file.write("no json\n")
    found = "\n".join(mistakes(root, "jsonl"))
    assert "index.jsonl:1: boxes.0" in found
    assert "index.jsonl:2: expected the name of the defect, found none" in found
    assert "index.jsonl:3: expected a box of the defect 'dent', found none" in found
    assert "index.jsonl:4: split: expected train, validation or test, found 'later'" in found
    assert "e.png: expected 41 × 20 px as its annotations say, found 40 × 20" in found
    assert "index.jsonl:6: expected a box inside 40 × 20 px, found 1 2 3 40" in found
    assert "index.jsonl:7: expected JSON" in found


@pytest.mark.parametrize("format", ["deeppcb", "yolo", "coco", "voc", "jsonl"])
def test_an_empty_folder_is_refused_in_every_format(tmp_path: Path, format: str) -> None:
    assert any(str(tmp_path) in mistake for mistake in mistakes(tmp_path, format))
