// Expressions of rules (`x-kubernetes-validations`) on one small object, asked of upstream's API server: what each comes to,
// why it is refused when it is written, or what goes wrong when it runs. `recorded-custom-resources.json` has the answers.
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'

const text = (maxLength: number): JSONSchemaProps => ({ type: 'string', maxLength })

/** What `self` is. */
export const selfSchema: JSONSchemaProps = {
  type: 'object',
  required: ['i', 'must'],
  properties: {
    i: { type: 'integer' },
    j: { type: 'integer' },
    must: { type: 'integer', default: 1 },
    n: { type: 'number' },
    b: { type: 'boolean' },
    s: text(64),
    t: text(64),
    e: { type: 'string', enum: ['one', 'three'] },
    l: { type: 'array', maxItems: 10, items: text(20) },
    li: { type: 'array', maxItems: 10, items: { type: 'integer' } },
    m: { type: 'object', maxProperties: 10, additionalProperties: { type: 'integer' } },
    o: { type: 'object', properties: { p: text(20), q: { type: 'integer' } } },
    ol: {
      type: 'array',
      maxItems: 10,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: text(20), v: { type: 'integer' } } },
    },
    set: { type: 'array', maxItems: 10, 'x-kubernetes-list-type': 'set', items: text(20) },
    io: { 'x-kubernetes-int-or-string': true, maxLength: 20 },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    dur: { type: 'string', format: 'duration' },
    by: { type: 'string', format: 'byte', maxLength: 40 },
    nul: { type: 'string', nullable: true, maxLength: 10 },
    'a-b': text(10),
    'c.d/e': text(10),
    namespace: text(10),
    x__y: text(10),
    open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    unbounded: { type: 'array', items: { type: 'string' } },
  },
}

export const selfObject = {
  i: 5,
  must: 1,
  n: 2.5,
  b: true,
  s: 'héllo',
  e: 'one',
  l: ['x', 'y', 'z'],
  li: [3, 1, 2],
  m: { k: 1, q: 2 },
  o: { p: 'P', q: 7 },
  ol: [
    { k: 'a', v: 1 },
    { k: 'b', v: 2 },
  ],
  set: ['p', 'q'],
  io: '50%',
  at: '2026-11-30T18:05:09.5Z',
  day: '2026-11-30',
  dur: '1h30m',
  by: 'YWJj',
  nul: null,
  'a-b': 'dash',
  'c.d/e': 'dots',
  namespace: 'ns',
  x__y: 'under',
  open: { any: 1 },
  unbounded: ['a'],
}

const lines = (given: string): string[] => given.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))

/** Each comes to a value, or to an error when it runs. */
export const values = lines(`
  self.i + 1
  self.i - 10
  self.i * 3
  self.i / 2
  -7 / 2
  -7 % 3
  7 % -3
  self.i / 0
  self.i % 0
  9223372036854775807 + self.i
  -9223372036854775808
  -9223372036854775807 - self.i
  9223372036854775807 * 2
  9007199254740993 - 9007199254740992
  1u + 2u
  1u - 2u
  18446744073709551615u
  18446744073709551615u + 1u
  self.n + 1.0
  self.n / 0.0
  1.0e300 * 1.0e300
  0.1 + 0.2
  1e21
  1e-7
  123456789.0
  double(self.i)
  double("1.5e3")
  double("x")
  int(self.n)
  int(-2.9)
  int(1e19)
  int("12")
  int("1.2")
  int(5u)
  uint(5)
  uint(-1)
  uint("7")
  string(5)
  string(5u)
  string(2.0)
  string(1e7)
  string(true)
  string(b"abc")
  bool("true")
  bool("yes")
  bytes("é")
  type(1)
  type(self.i) == int
  type(self.n) == double
  type(self.s) == string
  type(self.l) == list
  type(self.m) == map
  type(self.o) == map
  type(self.at)
  type(self.dur)
  type(self.by)
  type(null)
  type(type(1))
  1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2
  1 < 1.5
  1u < 2
  dyn(1) == dyn(1.0)
  dyn(1) == dyn("1")
  "a" < "b"
  b"a" < b"b"
  false < true
  true || self.i / 0 > 1
  self.i / 0 > 1 || true
  false && self.i / 0 > 1
  self.i / 0 > 1 && false
  self.i / 0 > 1 && true
  true ? 1 : 2
  false ? 1 / 0 : 3
  !self.b
  -self.i
  -self.n
  self.s + "!"
  self.s.size()
  size(self.s)
  self.s.contains("ll")
  self.s.startsWith("hé")
  self.s.endsWith("o")
  self.s.matches("^h.*o$")
  matches(self.s, "[0-9]")
  self.s.charAt(1)
  self.s.charAt(5)
  self.s.charAt(6)
  self.s.indexOf("l")
  self.s.indexOf("l", 3)
  self.s.indexOf("zz")
  self.s.lastIndexOf("l")
  self.s.substring(1)
  self.s.substring(1, 3)
  self.s.substring(3, 1)
  self.s.substring(9)
  "ABC".lowerAscii() + "abc".upperAscii()
  "  a b ".trim()
  "aXbXc".replace("X", "-")
  "aXbXc".replace("X", "-", 1)
  "abc".replace("", "-")
  "a,b,c".split(",")
  "a,b,c".split(",", 2)
  "abc".split("")
  ["a", "b"].join()
  ["a", "b"].join("-")
  "%s %d %s".format(["a", "b"].map(x, x))
  "%d".format([self.i])
  "%.2f".format([self.n])
  "%e".format([1234.5])
  "%x %X".format([255, 255])
  "%b".format([5])
  "%o".format([8])
  "%s".format([self.l])
  "%s".format([self.m])
  "%s".format([null])
  "%s".format([timestamp("2026-11-30T00:00:00Z")])
  "%s".format([duration("90s")])
  "%d".format(["a"])
  "100%%".format([])
  strings.quote("a\\"b")
  "abc123".find("[0-9]+")
  "abc".find("[0-9]+")
  "a1b22".findAll("[0-9]+")
  "a1b2".findAll("[0-9]", 1)
  "abc".find("(")
  self.l.size()
  self.l[0]
  self.l[3]
  self.l[-1]
  self.l + ["w"]
  "y" in self.l
  "q" in self.l
  self.l.all(x, x != "q")
  self.l.exists(x, x == "y")
  self.l.exists_one(x, x == "y")
  self.l.map(x, x + x)
  self.l.map(x, x > "x", x + "!")
  self.l.filter(x, x > "x")
  self.li.map(x, x * 2).sum()
  self.li.sum()
  self.li.max()
  self.li.min()
  self.li.isSorted()
  [].max()
  self.li.sort()
  self.ol.sortBy(x, x.v).map(x, x.k)
  self.li.reverse()
  self.li.slice(0, 2)
  self.li.slice(0, 9)
  [1, 1, 2].distinct()
  [[1], [2, 3]].flatten()
  lists.range(3)
  self.li.indexOf(1)
  self.li.lastIndexOf(9)
  self.li.exists(x, 1 / (x - 1) > 5)
  self.li.all(x, 1 / (x - 1) > 5)
  self.l.all(i, x, i < 3)
  self.l.exists(i, x, i == 1 && x == "y")
  self.l.existsOne(i, x, i > 0)
  self.l.transformList(i, x, x + string(i))
  self.l.transformList(i, x, i > 0, x)
  self.l.transformMap(i, x, x)
  self.m.transformMap(k, v, v > 1, v * 10)
  self.m.transformMapEntry(k, v, {v: k})
  self.m.k
  self.m["q"]
  self.m["zz"]
  self.m.size()
  "k" in self.m
  self.m.all(k, self.m[k] > 0)
  self.m.exists(k, v, v == 2)
  {"a": 1, "b": 2}["b"]
  {"a": 1}.a
  {1: "x"}[1]
  {"a": 1} == {"a": 1}
  [1, 2] == [1, 2]
  self.set == ["q", "p"]
  self.set + ["r"]
  self.ol == self.ol
  self.ol.exists(x, x.k == "b" && x.v == 2)
  self.o.p + string(self.o.q)
  has(self.o.p)
  has(self.j)
  has(self.o.q) && has(self.l)
  self.j
  self.nul == null
  has(self.nul)
  self.e
  self.a__dash__b
  self.c__dot__d__slash__e
  self.__namespace__
  self.x__underscores__y
  self.io
  type(self.io) == int ? self.io > 5 : self.io.endsWith("%")
  self.io > 5
  self.at.getFullYear()
  self.at.getMonth()
  self.at.getDate()
  self.at.getDayOfMonth()
  self.at.getDayOfWeek()
  self.at.getDayOfYear()
  self.at.getHours()
  self.at.getHours("Europe/Berlin")
  self.at.getHours("+05:30")
  self.at.getMilliseconds()
  self.day < self.at
  self.dur > duration("1h")
  self.dur.getMinutes()
  self.dur.getSeconds()
  string(self.dur)
  string(self.at)
  self.at + self.dur
  self.at - self.dur
  self.at - timestamp("2026-11-30T00:00:00Z")
  timestamp(0)
  timestamp("nope" + self.s)
  duration("1x" + self.s)
  int(timestamp("2026-11-30T00:00:00Z"))
  int(duration("1s"))
  self.by
  self.by.size()
  self.?j.orValue(9)
  self.?i.orValue(9)
  self.?j.hasValue()
  self.l[?9].orValue("none")
  self.m[?"k"].value()
  self.m[?"zz"].value()
  optional.of(1).optMap(x, x + 1).value()
  optional.none().orValue(3)
  optional.ofNonZeroValue(0).hasValue()
  optional.of(1).or(optional.of(2)).value()
  self.?o.p.orValue("")
  self.l.first().value()
  self.l.last().value()
  quantity("1Gi").isGreaterThan(quantity("1G"))
  quantity("1500m").asApproximateFloat()
  quantity("2k").asInteger()
  quantity("50m").asInteger()
  quantity("50m").isInteger()
  quantity("-1").sign()
  quantity("1").add(quantity("500m")).compareTo(quantity("1.5"))
  quantity("1").sub(2).sign()
  quantity("1").add(1).asInteger()
  quantity("1X" + self.t)
  isQuantity("1X")
  quantity("1") == quantity("1000m")
  url("https://a.example:8080/p/q?x=1&x=2").getHost()
  url("https://a.example:8080/p").getHostname()
  url("https://a.example:8080/p").getPort()
  url("https://a.example/p%20q").getEscapedPath()
  url("https://a.example/?x=1&x=2").getQuery()
  url("/just/path").getScheme()
  isURL("https://a.example")
  isURL("nope")
  url(self.s)
  ip("10.0.0.1").family()
  ip("fd00::1").family()
  ip("127.0.0.1").isLoopback()
  ip("0.0.0.0").isUnspecified()
  ip("224.0.0.5").isLinkLocalMulticast()
  ip("169.254.1.1").isLinkLocalUnicast()
  ip("8.8.8.8").isGlobalUnicast()
  ip.isCanonical("fd00:0::1")
  string(ip("FD00::1"))
  ip("1.2.3.256")
  isIP("::ffff:1.2.3.4")
  cidr("10.0.0.0/8").containsIP("10.1.1.1")
  cidr("10.0.0.0/8").containsIP(ip("11.1.1.1"))
  cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")
  cidr("10.1.0.0/16").containsCIDR(cidr("10.0.0.0/8"))
  string(cidr("10.1.2.3/8").masked())
  cidr("10.0.0.0/8").prefixLength()
  string(cidr("10.1.2.3/8").ip())
  isCIDR("10.0.0.0/33")
  cidr("10.0.0.0")
  semver("1.2.3").major()
  semver("1.2.3").isGreaterThan(semver("1.2.3-rc.1"))
  semver("1.2.3-alpha").compareTo(semver("1.2.3-beta"))
  semver("v1.2", true).patch()
  isSemver("1.2")
  isSemver("v01.2", true)
  semver("1.02.3")
  format.dns1123Label().validate("ok").hasValue()
  format.dns1123Label().validate("No.").value()
  format.uuid().validate("x").value()
  format.date().validate("2026-02-30").value()
  format.named("byte").hasValue()
  format.named("nope").hasValue()
  sets.contains([1, 2, 3], [1])
  sets.equivalent([1, 1], [1])
  sets.intersects([1], [2])
  self.metadata == 1 ? 1 : 2
`)

/** Each is refused when the schema is written, or is a rule that may be there. */
export const rules = lines(`
  self.i == 5
  self.nope == 1
  self.i.nope == 1
  self.s.nope()
  nope(self)
  x == 1
  self.i
  self.i == "a"
  self.i == 1.0
  self.i + "a" == 1
  self.s.startsWith(1)
  self.l.all(x, x > 1)
  self.l.all(x, y == 1)
  self.i.all(x, true)
  self.m.all(k, k > 1)
  [1, "a"].size() == 2
  {"a": 1, "b": "c"}.size() == 2
  true ? 1 : "a"
  self.open.any == 1
  self.open == self.open
  self.unbounded.all(a, self.unbounded.all(b, a == b))
  self.unbounded.all(a, self.unbounded.exists(b, self.unbounded.exists(c, a == b + c)))
  self.unbounded.all(a, a.matches("^a+$"))
  self.unbounded.map(a, a + a).join("").size() > 1
  self.unbounded.exists(a, a.contains(a))
  self.unbounded.isSorted()
  self.unbounded.size() < 5
  self.s.matches("(")
  duration("1x") == duration("1s")
  timestamp("x") > timestamp("y")
  self.s.find("(") == ""
  oldSelf.i == self.i
  has(self.i)
  has(self)
  has(self.nope)
  self.metadata.name == "a"
  cel.bind(x, 1, x == 1)
  math.greatest(1, 2) == 2
  base64.encode(b"a") == "YQ=="
  self.l.sortBy(x, x) == self.l
  self.b && self.i
  !self.i
  -self.s == "a"
  self.l[self.s] == "x"
  self.m[1] == 1
  self["i"] == 5
  optional.of(1) == 1
  self.?nope.hasValue()
  quantity(1) == quantity("1")
  quantity("1") > quantity("2")
  ip(self.i).family() == 4
  semver("1.2.3") < semver("1.2.4")
  type(self) == map
  self == self
  dyn(self.i) == "a"
  "a" in self.li
  1 in self.li
  self.namespace == "ns"
  string(self.l) == ""
  int(self.b) == 1
  authorizer.path("/x").check("get").allowed()
  jsonpatch.escapeKey("a/b") == "a~1b"
  self.l.exists_one(x, x) 
  self.i == 9223372036854775807
  self.at.getFullYear(1) == 1
  "was " + string(self.i) == ""
  self.unbounded.all(a, a.startsWith("x"))
  self.unbounded.all(a, a.startsWith("x") && a.endsWith("y") && a.contains("z"))
  self.unbounded.exists(a, a in self.l)
  self.unbounded.filter(a, a != "x").size() < 3
  self.unbounded.map(a, a.size()).sum() < 5
  self.unbounded.all(a, self.l.exists(b, a == b))
  self.unbounded.all(a, self.m.exists(k, k == a))
  self.unbounded.all(a, self.ol.exists(o, o.k == a))
  self.unbounded.all(a, a.split("").size() < 5)
  self.unbounded.sort() == self.unbounded
  self.unbounded.distinct().size() == self.unbounded.size()
  self.unbounded.join(",").size() < 5
  self.unbounded.all(a, isQuantity(a))
  self.unbounded.all(a, isURL(a) || isIP(a) || isCIDR(a) || isSemver(a))
  self.unbounded.all(a, !format.dns1123Label().validate(a).hasValue())
  self.unbounded.transformList(i, a, a + string(i)).size() < 5
  self.unbounded == self.l
  self.unbounded[0] == self.unbounded[1]
  self.unbounded.all(a, a.lowerAscii() == a)
  self.unbounded.all(a, a.replace("a", "b") == a)
  self.unbounded.all(a, "%s!".format([a]) == a)
`)
