"""The figures, the table and the picture of a stored document."""

import unittest
import xml.etree.ElementTree as xml
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark import document, growth, picture

SAMPLE = Path(__file__).with_name("sample.json")


class Figures(unittest.TestCase):
    def setUp(self):
        self.document = document.load(SAMPLE)
        self.rows = {row.title: row for row in document.figures(self.document)}

    def test_medians_and_ratios(self):
        cold = self.rows["build, nothing cached"]
        self.assertEqual((cold.values["packagecompiler"], cold.values["jlsys"], cold.values["plain"]), (400, 300, None))
        self.assertEqual((cold.ratio, cold.is_met), (0.75, True))
        held_out = self.rows["held-out script"]
        self.assertEqual(held_out.values, {"plain": 20, "packagecompiler": 2, "jlsys": 3})
        self.assertEqual(self.rows["build, nothing changed"].values["jlsys"], 12)

    def test_what_is_not_met_is_said(self):
        self.assertIs(self.rows["held-out script"].is_met, False)
        table = document.markdown(self.document)
        self.assertIn("| build, nothing cached | – | 400 s | 300 s | 0.75 (≤ 0.8) |", table)
        self.assertIn("| held-out script | 20 s | 2 s | 3 s | 1.50 (not ≤ 1) |", table)
        self.assertIn("| build, nothing changed | – | – | 12 ms | ≤ 20 ms |", table)
        self.assertIn("3 rounds of sessions", table)

    def test_what_was_not_measured_has_no_row(self):
        self.document["builds"] = [b for b in self.document["builds"] if b["kind"] != "bumped"]
        titles = [row.title for row in document.figures(self.document)]
        self.assertNotIn("build after a package's new version", titles)
        self.assertIn("build, nothing cached", titles)

    def test_the_picture_is_drawn_to_scale(self):
        root = xml.fromstring(picture.svg(self.document))
        bars = [float(r.get("width")) for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("x") == str(picture.LABELS)]
        longest = picture.WIDTH - picture.LABELS - picture.ROOM
        # The legend's first square, then the cold build of both.
        self.assertEqual(bars[1:3], [longest, longest * 0.75])
        self.assertNotIn("href", picture.svg(self.document))

    def test_growth_says_what_each_more_costs(self):
        sizes = [(1000, 0.1), (5000, 0.3)]
        rows = [{"what": "statements", "size": n, "seconds": s, "cpu_seconds": s, "found_seconds": 0.004} for n, s in sizes]
        self.assertIn("| statements: 5,000 | 0.30 | 0.30 | 50.0 | 4.0 |", growth.markdown(rows))

    def test_a_document_of_another_schema_is_refused(self):
        self.document["schema"] = 2
        file = Path(self.enterContext(TemporaryDirectory())) / "other.json"
        document.save(file, self.document)
        with self.assertRaisesRegex(ValueError, "other.json has the schema 2"):
            document.load(file)
