"""The public files of the built-in tasks: their addresses, digests and licences.

Course files come from one commit of the public repository of the course's starter code. Digests that begin with
"sha256:" were computed from the files; the digest of quora-train ("git:") is the id of its git blob.
"""

from __future__ import annotations

from dataclasses import dataclass

COURSE = (
    "https://raw.githubusercontent.com/gpoesia/minbert-default-final-project/"
    "7ac8260577fc12a86c7aaf38918056c30054ef39/data"
)
"""Address of the course's files; `$MTFT_COURSE_URL` replaces it."""


@dataclass(frozen=True)
class CourseFile:
    """A file of the course; `digest` is "sha256:HEX" or "git:HEX" (the id of a git blob)."""

    name: str
    size: int | None
    digest: str


@dataclass(frozen=True)
class HubFile:
    """A dataset file on the hub that is converted into the file `name`.

    `columns` are pairs: a column of the dataset, and its name in our file. `numbers` is true if labels are numbers.
    """

    name: str
    path: str
    columns: tuple[tuple[str, str], ...]
    numbers: bool = False


@dataclass(frozen=True)
class PublicData:
    """The files that `mtft data fetch` fetches for one name; `hub` is (dataset, commit), or None."""

    course: tuple[CourseFile, ...]
    licence: str
    hub: tuple[str, str] | None = None
    hub_files: tuple[HubFile, ...] = ()
    hub_note: str = ""


SST5 = ("SetFit/sst5", "e51bdcd8cd3a30da231967c1a249ba59361279a3")
GLUE = ("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")
_SENTENCE = (("text", "sentence"), ("label", "sentiment"))
_QUESTIONS = (("question1", "sentence1"), ("question2", "sentence2"), ("label", "is_duplicate"))
_SENTENCES = (("sentence1", "sentence1"), ("sentence2", "sentence2"), ("label", "similarity"))
_PART = "00000-of-00001.parquet"

CATALOGUE = {
    "sst": PublicData(
        (
            CourseFile(
                "ids-sst-train.csv", 1175139, "sha256:03b2b625c090f94a6afd59f114cde5282e2053aab0b101e87ed695d8a0c5b1df"
            ),
            CourseFile(
                "ids-sst-dev.csv", 151384, "sha256:a186ce94577635fbe10beaaddd50f16cccf6c30973221cefdf90deed2a584bfe"
            ),
        ),
        "Stanford Sentiment Treebank (Socher et al. 2013), sentences of Rotten Tomatoes reviews (Pang and Lee 2005); "
        "no licence is stated, it is given for research",
        SST5,
        tuple(HubFile(f"ids-sst-{split}.csv", f"{split}.jsonl", _SENTENCE) for split in ("train", "dev", "test")),
        "the treebank's own splits, sentences alone; test comes with labels",
    ),
    "quora": PublicData(
        (
            CourseFile("quora-train.csv", None, "git:a3b5546f6a0e65b60a328a5d294d1038f5bed1da"),
            CourseFile(
                "quora-dev.csv", 3205321, "sha256:bfa3cc954a9ba300ae776a980141de65f622a3c1b97e3fd905d63245bc36d5ad"
            ),
        ),
        "Quora Question Pairs (2017): Quora's terms of service, for non-commercial use",
        GLUE,
        (
            HubFile("quora-train.csv", f"qqp/train-{_PART}", _QUESTIONS, numbers=True),
            HubFile("quora-dev.csv", f"qqp/validation-{_PART}", _QUESTIONS, numbers=True),
        ),
        "GLUE's split of all pairs, larger than the course's and another one; its test labels are not public",
    ),
    "sts": PublicData(
        (
            CourseFile(
                "sts-train.csv", 928832, "sha256:15d12efc2d656fffb1d61ac1f08ec4227f43925fd16f420c037cbd063699c21b"
            ),
            CourseFile(
                "sts-dev.csv", 132265, "sha256:ce3cad6f16062586ac7ba462c28b010a9be10c530fd5074165860d7b7ab4e93d"
            ),
        ),
        "STS Benchmark (Cer et al. 2017): see its LICENSE; parts are under the terms of their sources",
        GLUE,
        (
            HubFile("sts-train.csv", f"stsb/train-{_PART}", _SENTENCES, numbers=True),
            HubFile("sts-dev.csv", f"stsb/validation-{_PART}", _SENTENCES, numbers=True),
        ),
        "the benchmark's own split, which is not the course's; GLUE keeps its test labels",
    ),
    "cfimdb": PublicData(
        (
            CourseFile(
                "ids-cfimdb-train.csv",
                1693182,
                "sha256:140fc513045a966109faed46a5c7a898767b96714d71bcb9c15f659129fadcea",
            ),
            CourseFile(
                "ids-cfimdb-dev.csv", 249095, "sha256:3087f571b66860fe5d035b5a018d08202ad3fd3720e4821c04b2acf6c7ded559"
            ),
        ),
        "CFIMDB: IMDb reviews and counterfactual edits of them (Kaushik et al. 2020), as the course gives them; "
        "no licence is stated",
    ),
}
"""Datasets by name."""
