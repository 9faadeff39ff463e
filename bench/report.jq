# What is made of the rows that world.sh prints. $candidates is a list of {name, path, program, version}; the first one is compared with
# its peers: the candidates that are other programs, or all others when there are only versions of one.

def subject: $candidates[0];

def peers: [$candidates[1:][] | select(.program != subject.program)] | if length > 0 then . else $candidates[1:] end | map(.name);

def result($name): .results[] | select(.name == $name);

def median($name): (result($name) | .median) // null;

def rounded($digits): . * pow(10; $digits) | round / pow(10; $digits);

# With the ratios to the best peer and to the floor, where there are those.
def compared:
  [median(peers[])] as $theirs
  | median(subject.name) as $ours
  | median("floor") as $floor
  | .toBestPeer = if $ours and ($theirs | any) then $ours / ([$theirs[] | select(.)] | min) | rounded(3) else null end
  | .toFloor = if $ours and $floor then $ours / $floor | rounded(3) else null end;

# 7.0 stays 7.0; three digits are all that a measurement is worth.
def digits:
  if . >= 100 then round | tostring
  else (if . >= 10 then 1 else 2 end) as $n
    | rounded($n) | tostring | if test("\\.") then . else . + "." end | . + "00"[(split(".")[1] | length):$n]
  end;

def cell($name):
  [result($name)][0]
  | if . == null then ""
    elif .failed then "fails"
    elif .min == .p90 then .median | digits
    else "\(.median | digits) (\(.min | digits)–\(.p90 | digits))"
    end;

def columns: ["floor", $candidates[].name];

def line: "| " + join(" | ") + " |";

def heading($world):
  ([$world, columns[], "to best peer", "to floor"] | line), (["---", (columns[] | "---"), "---", "---"] | line);

def ratio: if . then digits else "" end;

def table_line:
  . as $row | compared
  | [.title + (if .unit == "ms" then "" else ", \(.unit)" end), (columns[] as $name | $row | cell($name)), (.toBestPeer | ratio), (.toFloor | ratio)]
  | line;

# --- The chart -----------------------------------------------------------------------------------------------------------

def chart_rows: ["run", "apart", "cycle", "exec", "state", "parallel"];

# Each row has its own scale: its longest bar is as long as the others' longest.
def bars($y; $colours):
  . as $row
  | [columns[] as $name | select(median($name)) | {$name, value: median($name)}] as $bars
  | ([$bars[].value] | max) as $most
  | "<text class=\"t\" x=\"180\" y=\"\($y + 14)\" text-anchor=\"end\">\(.title)</text>",
    ($bars | to_entries[] | ($y + .key * 15) as $top | .value as $bar
    | "<rect class=\"\($colours[$bar.name])\" x=\"190\" y=\"\($top + 3)\" width=\"\($bar.value / $most * 350 | rounded(1))\" height=\"12\" rx=\"2\"/>",
      "<text x=\"\(195 + $bar.value / $most * 350 | rounded(1))\" y=\"\($top + 13)\">\($bar.value | digits)</text>");

def legend($colours):
  columns | to_entries[] | (190 + .key * 100) as $x
  | "<rect class=\"\($colours[.value])\" x=\"\($x)\" y=\"34\" width=\"12\" height=\"12\" rx=\"2\"/><text class=\"t\" x=\"\($x + 17)\" y=\"44\">\(.value)</text>";

# Of the first world that was measured, the usual rows, or what there is; colours that can be read on white and on black.
def chart($title):
  (.[0].world) as $world
  | map(select(.world == $world)) as $all
  | [chart_rows[] as $name | $all[] | select(.row == $name)]
  | (if length > 0 then . else $all end) as $rows
  | (columns | to_entries | map({key: .value, value: "c\(.key)"}) | from_entries) as $colours
  | (reduce $rows[] as $row ([58]; . + [last + 14 + 15 * ([$row | columns[] as $name | median($name) | select(.)] | length)])) as $tops
  | "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"\($tops | last)\" viewBox=\"0 0 600 \($tops | last)\" role=\"img\">",
    "<style>text{font:12px system-ui,sans-serif;fill:#59636e}.t{fill:#1f2328}.h{font-weight:bold}.c0{fill:#a0a8b0}.c1{fill:#2f81f7}.c2{fill:#d29922}.c3{fill:#8957e5}.c4{fill:#3fb950}.c5{fill:#f778ba}@media(prefers-color-scheme:dark){text{fill:#9198a1}.t{fill:#f0f6fc}.c0{fill:#6e7781}}</style>",
    "<text class=\"t h\" x=\"190\" y=\"20\">\($title)</text>",
    legend($colours),
    ($rows | to_entries[] | .key as $i | .value | bars($tops[$i]; $colours)),
    "</svg>";
