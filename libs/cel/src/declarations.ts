// Functions and their overloads: the standard ones of the language, its extensions that Kubernetes turns on (1.36), and
// Kubernetes' own. Types alone; what they do is in functions/.
import { parseType, type Type } from './types.ts'

export interface Overload {
  readonly id: string
  readonly isMember: boolean
  /** With the target first. */
  readonly params: readonly Type[]
  readonly result: Type
}

/** One line a function: `name | overload(types) -> type | target . overload(types) -> type`. */
const standard = `
_?_:_ | conditional(bool, A, A) -> A
_&&_ | logical_and(bool, bool) -> bool
_||_ | logical_or(bool, bool) -> bool
!_ | logical_not(bool) -> bool
@not_strictly_false | not_strictly_false(bool) -> bool
_==_ | equals(A, A) -> bool
_!=_ | not_equals(A, A) -> bool
_+_ | add_bytes(bytes, bytes) -> bytes | add_double(double, double) -> double | add_duration_duration(duration, duration) -> duration | add_duration_timestamp(duration, timestamp) -> timestamp | add_timestamp_duration(timestamp, duration) -> timestamp | add_int64(int, int) -> int | add_list(list<A>, list<A>) -> list<A> | add_string(string, string) -> string | add_uint64(uint, uint) -> uint
_/_ | divide_double(double, double) -> double | divide_int64(int, int) -> int | divide_uint64(uint, uint) -> uint
_%_ | modulo_int64(int, int) -> int | modulo_uint64(uint, uint) -> uint
_*_ | multiply_double(double, double) -> double | multiply_int64(int, int) -> int | multiply_uint64(uint, uint) -> uint
-_ | negate_double(double) -> double | negate_int64(int) -> int
_-_ | subtract_double(double, double) -> double | subtract_duration_duration(duration, duration) -> duration | subtract_int64(int, int) -> int | subtract_timestamp_duration(timestamp, duration) -> timestamp | subtract_timestamp_timestamp(timestamp, timestamp) -> duration | subtract_uint64(uint, uint) -> uint
_[_] | index_list(list<A>, int) -> A | index_map(map<A, B>, A) -> B | optional_list_index_int(optional<list<A>>, int) -> optional<A> | optional_map_index_value(optional<map<A, B>>, A) -> optional<B>
_[?_] | list_optindex_optional_int(list<A>, int) -> optional<A> | optional_list_optindex_optional_int(optional<list<A>>, int) -> optional<A> | map_optindex_optional_value(map<A, B>, A) -> optional<B> | optional_map_optindex_optional_value(optional<map<A, B>>, A) -> optional<B>
@in | in_list(A, list<A>) -> bool | in_map(A, map<A, B>) -> bool
size | size_bytes(bytes) -> int | bytes . bytes_size() -> int | size_list(list<A>) -> int | list<A> . list_size() -> int | size_map(map<A, B>) -> int | map<A, B> . map_size() -> int | size_string(string) -> int | string . string_size() -> int
type | type(A) -> type<A>
bool | bool_to_bool(bool) -> bool | string_to_bool(string) -> bool
bytes | bytes_to_bytes(bytes) -> bytes | string_to_bytes(string) -> bytes
double | double_to_double(double) -> double | int64_to_double(int) -> double | string_to_double(string) -> double | uint64_to_double(uint) -> double
duration | duration_to_duration(duration) -> duration | int64_to_duration(int) -> duration | string_to_duration(string) -> duration
dyn | to_dyn(A) -> dyn
int | int64_to_int64(int) -> int | double_to_int64(double) -> int | duration_to_int64(duration) -> int | string_to_int64(string) -> int | timestamp_to_int64(timestamp) -> int | uint64_to_int64(uint) -> int
string | string_to_string(string) -> string | bool_to_string(bool) -> string | bytes_to_string(bytes) -> string | double_to_string(double) -> string | duration_to_string(duration) -> string | int64_to_string(int) -> string | timestamp_to_string(timestamp) -> string | uint64_to_string(uint) -> string | ip_to_string(IP) -> string | cidr_to_string(CIDR) -> string
timestamp | timestamp_to_timestamp(timestamp) -> timestamp | int64_to_timestamp(int) -> timestamp | string_to_timestamp(string) -> timestamp
uint | uint64_to_uint64(uint) -> uint | double_to_uint64(double) -> uint | int64_to_uint64(int) -> uint | string_to_uint64(string) -> uint
contains | string . contains_string(string) -> bool
endsWith | string . ends_with_string(string) -> bool
startsWith | string . starts_with_string(string) -> bool
matches | matches(string, string) -> bool | string . matches_string(string) -> bool
getFullYear | timestamp . timestamp_to_year() -> int | timestamp . timestamp_to_year_with_tz(string) -> int
getMonth | timestamp . timestamp_to_month() -> int | timestamp . timestamp_to_month_with_tz(string) -> int
getDayOfYear | timestamp . timestamp_to_day_of_year() -> int | timestamp . timestamp_to_day_of_year_with_tz(string) -> int
getDayOfMonth | timestamp . timestamp_to_day_of_month() -> int | timestamp . timestamp_to_day_of_month_with_tz(string) -> int
getDate | timestamp . timestamp_to_day_of_month_1_based() -> int | timestamp . timestamp_to_day_of_month_1_based_with_tz(string) -> int
getDayOfWeek | timestamp . timestamp_to_day_of_week() -> int | timestamp . timestamp_to_day_of_week_with_tz(string) -> int
getHours | timestamp . timestamp_to_hours() -> int | timestamp . timestamp_to_hours_with_tz(string) -> int | duration . duration_to_hours() -> int
getMinutes | timestamp . timestamp_to_minutes() -> int | timestamp . timestamp_to_minutes_with_tz(string) -> int | duration . duration_to_minutes() -> int
getSeconds | timestamp . timestamp_to_seconds() -> int | timestamp . timestamp_to_seconds_tz(string) -> int | duration . duration_to_seconds() -> int
getMilliseconds | timestamp . timestamp_to_milliseconds() -> int | timestamp . timestamp_to_milliseconds_with_tz(string) -> int | duration . duration_to_milliseconds() -> int
`

/** Kinds that can be compared, each against itself; numbers against one another too. */
const ordered = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration']
const numbers = ['int', 'uint', 'double']
const comparisons = [
  ['_<_', 'less'],
  ['_<=_', 'less_equals'],
  ['_>_', 'greater'],
  ['_>=_', 'greater_equals'],
]
  .map(([name, id]) => {
    const pairs = ordered.flatMap((a) => ordered.filter((b) => a === b || (numbers.includes(a) && numbers.includes(b))).map((b) => [a, b]))
    return `${name} | ${pairs.map(([a, b]) => `${id}_${a}${a === b ? '' : `_${b}`}(${a}, ${b}) -> bool`).join(' | ')}`
  })
  .join('\n')

const each = (kinds: readonly string[], write: (kind: string) => string): string => kinds.map(write).join(' | ')

const extensions = `
charAt | string . string_char_at_int(int) -> string
indexOf | list<A> . list_a_index_of_int(A) -> int | string . string_index_of_string(string) -> int | string . string_index_of_string_int(string, int) -> int
lastIndexOf | list<A> . list_a_last_index_of_int(A) -> int | string . string_last_index_of_string(string) -> int | string . string_last_index_of_string_int(string, int) -> int
lowerAscii | string . string_lower_ascii() -> string
upperAscii | string . string_upper_ascii() -> string
replace | string . string_replace_string_string(string, string) -> string | string . string_replace_string_string_int(string, string, int) -> string
split | string . string_split_string(string) -> list<string> | string . string_split_string_int(string, int) -> list<string>
substring | string . string_substring_int(int) -> string | string . string_substring_int_int(int, int) -> string
trim | string . string_trim() -> string
format | string . string_format(list<dyn>) -> string
strings.quote | strings_quote(string) -> string
join | list<string> . list_join() -> string | list<string> . list_join_string(string) -> string
isSorted | ${each(ordered, (kind) => `list<${kind}> . list_${kind}_is_sorted_bool() -> bool`)}
sum | ${each([...numbers, 'duration'], (kind) => `list<${kind}> . list_${kind}_sum_${kind}() -> ${kind}`)}
max | ${each(ordered, (kind) => `list<${kind}> . list_${kind}_max_${kind}() -> ${kind}`)}
min | ${each(ordered, (kind) => `list<${kind}> . list_${kind}_min_${kind}() -> ${kind}`)}
sort | ${each(ordered, (kind) => `list<${kind}> . list_${kind}_sort() -> list<${kind}>`)}
@sortByAssociatedKeys | ${each(ordered, (kind) => `list<A> . list_${kind}_sortByAssociatedKeys(list<${kind}>) -> list<A>`)}
slice | list<A> . list_slice(int, int) -> list<A>
flatten | list<list<A>> . list_flatten() -> list<A> | list<dyn> . list_flatten_int(int) -> list<dyn>
reverse | list<A> . list_reverse() -> list<A>
distinct | list<A> . list_distinct() -> list<A>
lists.range | lists_range(int) -> list<int>
sets.contains | list_sets_contains_list(list<A>, list<A>) -> bool
sets.equivalent | list_sets_equivalent_list(list<A>, list<A>) -> bool
sets.intersects | list_sets_intersects_list(list<A>, list<A>) -> bool
cel.@mapInsert | @mapInsert_map_map(map<A, B>, map<A, B>) -> map<A, B> | @mapInsert_map_key_value(map<A, B>, A, B) -> map<A, B>
optional.of | optional_of(A) -> optional<A>
optional.ofNonZeroValue | optional_ofNonZeroValue(A) -> optional<A>
optional.none | optional_none() -> optional<A>
optional.unwrap | optional_unwrap(list<optional<A>>) -> list<A>
unwrapOpt | list<optional<A>> . optional_unwrapOpt() -> list<A>
value | optional<A> . optional_value() -> A
hasValue | optional<A> . optional_hasValue() -> bool
or | optional<A> . optional_or_optional(optional<A>) -> optional<A>
orValue | optional<A> . optional_orValue_value(A) -> A
_?._ | select_optional_field(dyn, string) -> optional<A>
first | list<A> . list_first() -> optional<A>
last | list<A> . list_last() -> optional<A>
`

const kubernetes = `
find | string . string_find_string(string) -> string
findAll | string . string_find_all_string(string) -> list<string> | string . string_find_all_string_int(string, int) -> list<string>
url | string_to_url(string) -> URL
isURL | is_url_string(string) -> bool
getScheme | URL . url_get_scheme() -> string
getHost | URL . url_get_host() -> string
getHostname | URL . url_get_hostname() -> string
getPort | URL . url_get_port() -> string
getEscapedPath | URL . url_get_escaped_path() -> string
getQuery | URL . url_get_query() -> map<string, list<string>>
quantity | string_to_quantity(string) -> Quantity
isQuantity | is_quantity_string(string) -> bool
sign | quantity_sign(Quantity) -> int
isGreaterThan | Quantity . quantity_is_greater_than(Quantity) -> bool | Semver . semver_is_greater_than(Semver) -> bool
isLessThan | Quantity . quantity_is_less_than(Quantity) -> bool | Semver . semver_is_less_than(Semver) -> bool
compareTo | Quantity . quantity_compare_to(Quantity) -> int | Semver . semver_compare_to(Semver) -> int
asApproximateFloat | Quantity . quantity_get_float() -> double
asInteger | Quantity . quantity_get_int() -> int
isInteger | Quantity . quantity_is_integer() -> bool
add | Quantity . quantity_add(Quantity) -> Quantity | Quantity . quantity_add_int(int) -> Quantity
sub | Quantity . quantity_sub(Quantity) -> Quantity | Quantity . quantity_sub_int(int) -> Quantity
ip | string_to_ip(string) -> IP | CIDR . cidr_ip() -> IP
isIP | is_ip(string) -> bool
ip.isCanonical | ip_is_canonical(string) -> bool
family | IP . ip_family() -> int
isUnspecified | IP . ip_is_unspecified() -> bool
isLoopback | IP . ip_is_loopback() -> bool
isLinkLocalMulticast | IP . ip_is_link_local_multicast() -> bool
isLinkLocalUnicast | IP . ip_is_link_local_unicast() -> bool
isGlobalUnicast | IP . ip_is_global_unicast() -> bool
cidr | string_to_cidr(string) -> CIDR
isCIDR | is_cidr(string) -> bool
containsIP | CIDR . cidr_contains_ip_string(string) -> bool | CIDR . cidr_contains_ip_ip(IP) -> bool
containsCIDR | CIDR . cidr_contains_cidr_string(string) -> bool | CIDR . cidr_contains_cidr(CIDR) -> bool
masked | CIDR . cidr_masked() -> CIDR
prefixLength | CIDR . cidr_prefix_length() -> int
validate | NamedFormat . format-validate(string) -> optional<list<string>>
format.named | format-named(string) -> optional<NamedFormat>
path | Authorizer . authorizer_path(string) -> PathCheck
group | Authorizer . authorizer_group(string) -> GroupCheck
serviceAccount | Authorizer . authorizer_serviceaccount(string, string) -> Authorizer
resource | GroupCheck . groupcheck_resource(string) -> ResourceCheck
subresource | ResourceCheck . resourcecheck_subresource(string) -> ResourceCheck
namespace | ResourceCheck . resourcecheck_namespace(string) -> ResourceCheck
name | ResourceCheck . resourcecheck_name(string) -> ResourceCheck
fieldSelector | ResourceCheck . authorizer_fieldselector(string) -> ResourceCheck
labelSelector | ResourceCheck . authorizer_labelselector(string) -> ResourceCheck
check | PathCheck . pathcheck_check(string) -> Decision | ResourceCheck . resourcecheck_check(string) -> Decision
errored | Decision . decision_errored() -> bool
error | Decision . decision_error() -> string
allowed | Decision . decision_allowed() -> bool
reason | Decision . decision_reason() -> string
semver | string_to_semver(string) -> Semver | string_bool_to_semver(string, bool) -> Semver
jsonpatch.escapeKey | jsonpatch_escapeKey_string(string) -> string
isSemver | is_semver_string(string) -> bool | is_semver_string_bool(string, bool) -> bool
major | Semver . semver_major() -> int
minor | Semver . semver_minor() -> int
patch | Semver . semver_patch() -> int
`

export const formatNames = [
  ...['dns1123Label', 'dns1123Subdomain', 'dns1035Label', 'qualifiedName', 'dns1123LabelPrefix'],
  ...['dns1123SubdomainPrefix', 'dns1035LabelPrefix', 'labelValue', 'uri', 'uuid', 'byte', 'date', 'datetime'],
]

const formats = formatNames.map((name) => `format.${name} | format.${name}() -> NamedFormat`).join('\n')

const splitTypes = (text: string): string[] => {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at <= text.length; at++) {
    const character = text[at]
    if (character === '<') depth++
    else if (character === '>') depth--
    else if ((character === ',' && depth === 0) || character === undefined) {
      if (at > from) parts.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  return parts
}

const overloadForm = /^(?:(.+) \. )?([@\w.-]+)\((.*)\) -> (.+)$/

const overloadOf = (text: string): Overload => {
  const [, target, id, args, result] = overloadForm.exec(text)! as unknown as [string, string?, string?, string?, string?]
  const params = splitTypes(args!).map(parseType)
  return {
    id: id!,
    isMember: target !== undefined,
    params: target === undefined ? params : [parseType(target), ...params],
    result: parseType(result!),
  }
}

let read: ReadonlyMap<string, readonly Overload[]> | undefined

/** All overloads by name of the function; read with the first expression. */
export const declarations = (): ReadonlyMap<string, readonly Overload[]> => {
  if (read) return read
  const found = new Map<string, readonly Overload[]>()
  for (const line of `${standard}${comparisons}${extensions}${kubernetes}${formats}`.split('\n')) {
    if (line === '') continue
    const [name, ...overloads] = line.split(' | ')
    found.set(name!, overloads.map(overloadOf))
  }
  return (read = found)
}
