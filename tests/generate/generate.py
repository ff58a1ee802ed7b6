#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a random DSM program with planted sharing, and the truth about it.

    generate.py SEED FOLDER [locks]      ->  FOLDER/planted.c, FOLDER/truth.json

With "locks" each object is updated in a block of its own that names it (DSM_TX_ON): what a program for sc and rc does, where
one block for all would be one lock that all nodes take turns at.

The tools never saw the program: types, fields, functions, sizes, order of allocation, padding and the
way objects are dealt out to the nodes are all drawn from the seed. What is planted:

  false     objects of which each node uses only its own part, laid out so that the parts share pages:
              blocks   one array, a run of elements for each node
              cyclic   one array, element i belongs to node i % nodes
              single   one small object for each node, all allocated in one loop
  true      an object that every node updates, now and then
  readonly  a table that every node reads in every transaction and nobody writes
  private   an object that each node but 0 allocates for itself (node 0's would lie among the shared ones)

The program checks itself: each node keeps count outside the DSM of what it did, and node 0 compares.
It takes one argument, the seconds it runs. The JSON is written by hand, since a small Python has no json.
"""
import os
import random
import sys

NOUNS = """anchor basket candle dragon ember falcon glacier harbor island jigsaw kernel lantern meadow nebula
orchard pebble quarry ribbon saddle temple umbrella valley willow yarn zephyr beacon cobble drizzle engine
feather garnet hamlet ingot juniper kettle ledger marble needle oyster parcel""".split()
FIELDS = """age bias cost depth edge flux gain heat index jolt kick load mass norm odds pace rank size tilt
usage volt width yield zone angle bonus count delay error force grade hours input joint knots level money
nodes order phase quota ratio speed total units value wages""".split()
VERBS = """apply brush carry drive enter forge guide heave inspect judge knead label mend nudge open polish
raise serve trace unload visit weigh""".split()
TYPES = [("int32_t", "int"), ("uint32_t", "int"), ("int64_t", "int"), ("uint64_t", "int"), ("double", "real"),
	 ("float", "real"), ("int16_t", "int"), ("char", "text")]


SIZES = {"int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8, "double": 8, "float": 4, "int16_t": 2,
	 "uint16_t": 2, "char": 1}


def room(size):
	"""What the heap takes for an object: small ones that take the same share pages, larger ones have their own."""
	step = 16 if size <= 1024 else 256
	return (size + step - 1) // step * step if size <= 2048 else None


class Struct:
	"""A struct with a counter that always changes, and some fields that are set, mixed or only read."""

	def __init__(self, r, name, least, most):
		self.name = name
		fields = r.sample(FIELDS, r.randint(least, most))
		self.counter = fields[0]
		self.fields = [(fields[0], r.choice(["uint64_t", "uint32_t"]), "int", 0)]
		for field in fields[1:]:
			ctype, kind = r.choice(TYPES)
			length = r.choice([8, 12, 24]) if kind == "text" else r.choice([0, 0, 0, 2, 5])
			self.fields.append((field, ctype, kind, length))
		r.shuffle(self.fields)
		self.verb = r.choice(VERBS)

	def size(self):
		end = widest = 0
		for _, ctype, _, length in self.fields:
			width = SIZES[ctype]
			widest = max(widest, width)
			end = (end + width - 1) // width * width + width * (length or 1)
		return (end + widest - 1) // widest * widest

	def definition(self):
		lines = ["struct %s {" % self.name]
		for field, ctype, _, length in self.fields:
			lines.append("\t%s %s%s;" % (ctype, field, "[%d]" % length if length else ""))
		return lines + ["};"]

	def update(self, r):
		"""A function that changes an object of this type."""
		lines = ["static void %s_%s(struct %s *p, uint64_t seen)" % (self.verb, self.name, self.name), "{"]
		body = ["\tp->%s++;" % self.counter]
		for field, ctype, kind, length in self.fields:
			if field == self.counter or kind == "text" or r.random() < 0.4:
				continue
			place = "p->%s%s" % (field, "[seen %% %d]" % length if length else "")
			if kind == "real":
				body.append("\t%s = %s * 0.5 + (%s)(seen %% %d);" % (place, place, ctype, r.randint(50, 999)))
			else:
				body.append("\t%s = (%s)(%s + (%s)(seen >> %d));" % (place, ctype, place, ctype, r.randint(1, 20)))
		r.shuffle(body)
		if len(body) == 1:
			body.append("\t(void)seen;")
		return lines + body + ["}"]


class Planted:
	"""One planted truth: its type, how it is laid out, and the code that makes and uses it."""

	def __init__(self, r, truth, struct):
		self.truth = truth
		self.type = struct
		self.root = struct.name + "s"
		self.kind = r.choice(["blocks", "cyclic", "single"]) if truth == "false" else truth
		self.each = r.randint(2, 9) if self.kind in ("blocks", "cyclic") else 1
		self.update = struct.update(r)

	def room(self, nodes):
		return room(self.type.size() * (self.each * nodes if self.kind in ("blocks", "cyclic") else 1))

	def allocate(self):
		t, root = "struct " + self.type.name, self.root
		if self.kind in ("blocks", "cyclic"):
			return ['\t\tdsm_root_set("%s", dsm_new(%s, (size_t)dsm_nodes() * %d));' % (root, t, self.each)]
		if self.kind == "single":
			return ["\t\t%s **%s = dsm_new_flat(%s *, (size_t)dsm_nodes());" % (t, root, t),
				"\t\tfor (int i = 0; i < dsm_nodes(); i++)",
				"\t\t\t%s[i] = dsm_new(%s, 1);" % (root, t),
				'\t\tdsm_root_set("%s", %s);' % (root, root)]
		return ['\t\tdsm_root_set("%s", dsm_new(%s, 1));' % (root, t)]

	def find(self):
		t, root = "struct " + self.type.name, self.root
		if self.kind == "private":
			return ["\t\tm->%s = dsm_node() ? dsm_new(%s, 1) : NULL;" % (root, t)]
		if self.kind == "single":
			return ['\t\tm->%s = ((%s **)dsm_root("%s"))[dsm_node()];' % (root, t, root)]
		return ['\t\tm->%s = dsm_root("%s");' % (root, root)]

	def element(self, which):
		"""The address of this node's element number `which`."""
		if self.kind == "blocks":
			return "dsm_at(m->%s, dsm_node() * %d + (long)(%s %% %d))" % (self.root, self.each, which, self.each)
		if self.kind == "cyclic":
			return "dsm_at(m->%s, dsm_node() + dsm_nodes() * (long)(%s %% %d))" % (self.root, which, self.each)
		return "m->" + self.root

	def use(self, condition, locks):
		call = "%s_%s(%s, seen);" % (self.type.verb, self.type.name, self.element("(step / 3)"))
		if locks:
			begin = "\tif (%s)" % condition if condition else None
			block = ["\tDSM_TX_ON(%s) {" % self.element("(step / 3)"), "\t\t" + call, "\t}"]
			return [begin + " {"] + ["\t" + line for line in block] + ["\t}"] if begin else block
		return ["\t\tif (%s)" % condition, "\t\t\t" + call] if condition else ["\t\t" + call]

	def count(self, condition):
		"""After the commit, outside the DSM."""
		line = "\tm->did.%s++;" % self.root
		return ["\tif (%s)" % condition, "\t" + line] if condition else [line]

	def audit(self):
		"""All nodes' counters of this object added up, by node 0."""
		field = self.type.counter
		if self.kind in ("blocks", "cyclic"):
			return ["\t\tfor (long i = 0; i < (long)dsm_nodes() * %d; i++)" % self.each,
				"\t\t\tfound.%s += dsm_at(m->%s, i)->%s;" % (self.root, self.root, field)]
		if self.kind == "single":
			return ["\t\tfor (int i = 0; i < dsm_nodes(); i++)",
				'\t\t\tfound.%s += ((struct %s **)dsm_root("%s"))[i]->%s;'
				% (self.root, self.type.name, self.root, field)]
		return ["\t\tfound.%s = m->%s->%s;" % (self.root, self.root, field)]


class Program:
	def __init__(self, seed, locks):
		self.seed = seed
		self.locks = locks
		r = self.r = random.Random(seed)
		names = r.sample(NOUNS, 8)
		self.planted = []
		for _ in range(r.randint(1, 3)):
			self.planted.append(Planted(r, "false", Struct(r, names.pop(), 3, 9)))
		self.nodes = r.randint(2, 4)
		taken = {p.room(self.nodes) for p in self.planted} | {room(8 * (len(self.planted) + 1))}
		self.planted.append(self.apart(taken, names.pop()))
		self.planted.append(Planted(r, "private", Struct(r, names.pop(), 2, 6)))
		self.table = names.pop()
		self.cell = r.choice(["uint32_t", "uint64_t", "uint16_t"])
		self.cells = r.randint(1100, 6000)
		self.looks = r.randint(1500, 4000)
		self.rare = r.randint(25, 60)
		false = [p for p in self.planted if p.truth == "false"]
		self.turns = {p.root: i for i, p in enumerate(false)}

	def apart(self, taken, name):
		"""A truly shared object that no other object's page holds: beside one it would share falsely, too."""
		while True:
			p = Planted(self.r, "true", Struct(self.r, name, 2, 6))
			if p.room(self.nodes) not in taken:
				return p

	def condition(self, p):
		if p.truth == "true":
			return "step %% %d == 7" % self.rare
		if p.truth == "false" and len(self.turns) > 1 and self.turns[p.root] > 0:
			return "step %% %d != 0" % (len(self.turns) + 1)
		if p.truth == "private":
			return "dsm_node()"
		return None

	def source(self):
		r, shared = self.r, [p for p in self.planted if p.truth != "private"]
		table = "struct " + self.table
		out = ["/* Written by tests/generate/generate.py from seed %d. */" % self.seed,
		       "#include <dsm.h>", "", "#include <inttypes.h>", "#include <stdio.h>", "#include <stdlib.h>",
		       "#include <time.h>", ""]
		for p in self.planted:
			out += p.type.definition() + [""]
		out += [table + " {", "\t%s cell[%d];" % (self.cell, self.cells), "};", ""]
		out += ["struct counts {"] + ["\tuint64_t %s;" % p.root for p in shared] + ["};", ""]
		out += ["struct mine {"] + ["\tstruct %s *%s;" % (p.type.name, p.root) for p in self.planted]
		out += ["\t%s *%s;" % (table, self.table), "\tstruct counts *claims, did;"]
		out += ["\tchar *own; /* the name of a lock that nobody else takes */"] if self.locks else []
		out += ["};", ""]
		for p in self.planted:
			out += p.update + [""]
		out += self.build(shared) + self.meet() + self.look() + self.step() + self.audit(shared) + self.main()
		return "\n".join(out) + "\n"

	def build(self, shared):
		r = self.r
		jobs = [p.allocate() for p in shared]
		jobs.append(["\t\tstruct %s *t = dsm_new(struct %s, 1);" % (self.table, self.table),
			     "\t\tfor (unsigned i = 0; i < %d; i++)" % self.cells,
			     "\t\t\tt->cell[i] = (%s)(i * 2654435761u);" % self.cell,
			     '\t\tdsm_root_set("%s", t);' % self.table])
		jobs.append(['\t\tdsm_root_set("claims", dsm_new(struct counts, 1));'])
		for _ in range(r.randint(0, 3)):  # something in between that nobody touches again
			jobs.append(["\t\t(void)dsm_new(char, %d);" % r.randint(1, 3000)])
		r.shuffle(jobs)
		out = ["static void build(void)", "{", "\tDSM_TX {"]
		for job in jobs:
			out += job
		return out + ["\t}", "}", ""]

	def meet(self):
		out = ["static void meet(struct mine *m)", "{", "\tDSM_TX {"]
		for p in self.planted:
			out += p.find()
		out += ['\t\tm->%s = dsm_root("%s");' % (self.table, self.table), '\t\tm->claims = dsm_root("claims");']
		out += ["\t\tm->own = dsm_new(char, 1);"] if self.locks else []
		return out + ["\t}", "}", ""]

	def look(self):
		return ["static uint64_t look(const struct mine *m, uint64_t seen)", "{",
			"\tfor (int i = 0; i < %d; i++)" % self.looks,
			"\t\tseen = (seen ^ m->%s->cell[seen %% %d]) * 0x9e3779b97f4a7c15ull + (seen >> 29);"
			% (self.table, self.cells),
			"\treturn seen;", "}", ""]

	def step(self):
		out = ["static void step_once(struct mine *m, uint64_t step)", "{"]
		look = "seen = look(m, step * 0xd1342543de82ef95ull + (uint64_t)dsm_node());"
		if self.locks:
			out += ["\tuint64_t seen = 0;", "", "\tDSM_TX_ON(m->own) {", "\t\t" + look, "\t}"]
		else:
			out += ["\tDSM_TX {", "\t\tuint64_t " + look]
		uses = [p.use(self.condition(p), self.locks) for p in self.planted]
		self.r.shuffle(uses)
		for use in uses:
			out += use
		out += [] if self.locks else ["\t}"]
		for p in self.planted:
			if p.truth != "private":
				out += p.count(self.condition(p))
		return out + ["}", ""]

	def audit(self, shared):
		out = ["static int audit(const struct mine *m)", "{", "\tstruct counts found = {0}, claims = {0};", "\tint wrong = 0;",
		       "", "\tDSM_TX {", "\t\tclaims = *m->claims;"]
		for p in shared:
			out += p.audit()
		out += ["\t}"]
		for p in shared:
			bits = [c for f, c, _, _ in p.type.fields if f == p.type.counter][0]
			out += ["\tif ((%s)found.%s != (%s)claims.%s) {" % (bits, p.root, bits, p.root),
				'\t\tfprintf(stderr, "%s: %%" PRIu64 " updates are there, %%" PRIu64 " were made\\n", found.%s, claims.%s);'
				% (p.root, p.root, p.root), "\t\twrong = 1;", "\t}"]
		return out + ["\treturn wrong;", "}", ""]

	def main(self):
		claims = []
		for p in self.planted:
			if p.truth != "private":
				claims.append("\t\tm.claims->%s += m.did.%s;" % (p.root, p.root))
		return ["static double now(void)", "{", "\tstruct timespec t;", "",
			"\tclock_gettime(CLOCK_MONOTONIC, &t);", "\treturn (double)t.tv_sec + (double)t.tv_nsec * 1e-9;", "}",
			"", "int main(int argc, char **argv)", "{", "\tstruct mine m = {0};",
			"\tdouble seconds = argc > 1 ? atof(argv[1]) : 3;", "\tint wrong = 0;", "", "\tif (dsm_node() == 0)",
			"\t\tbuild();", "\tdsm_barrier();", "\tmeet(&m);", "\tdsm_barrier();", "\tdouble end = now() + seconds;",
			"\tfor (uint64_t step = 0; now() < end; step++) {", "\t\tstep_once(&m, step);", "\t\tdsm_progress(1);",
			"\t}", "\tDSM_TX_ON(m.claims) {" if self.locks else "\tDSM_TX {"] + claims + ["\t}", "\tdsm_barrier();", "\tif (dsm_node() == 0)",
			"\t\twrong = audit(&m);", "\tdsm_barrier();", "\treturn wrong;", "}"]

	def truth(self):
		rows = ['{"type":"struct %s","truth":"%s","kind":"%s"}' % (p.type.name, p.truth, p.kind) for p in self.planted]
		rows.append('{"type":"struct %s","truth":"readonly","kind":"readonly"}' % self.table)
		return '{"seed":%d,"nodes":%d,"objects":[\n%s\n]}\n' % (self.seed, self.nodes, ",\n".join(rows))


def main():
	if len(sys.argv) not in (3, 4) or not sys.argv[1].isdigit() or sys.argv[3:] not in ([], ["locks"]):
		sys.exit("usage: generate.py SEED FOLDER [locks]")
	program = Program(int(sys.argv[1]), len(sys.argv) == 4)
	os.makedirs(sys.argv[2], exist_ok=True)
	for name, text in (("planted.c", program.source()), ("truth.json", program.truth())):
		with open(os.path.join(sys.argv[2], name), "w") as out:
			out.write(text)


if __name__ == "__main__":
	main()
