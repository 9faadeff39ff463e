# What project.assets.json knows, as an SPDX document; scripts/supply.sh gives the rest.

# Known by name, because the list that restoring leaves has no licences. A package that is not in here is shown to have none.
def licence: {
  "CommandLineParser": "MIT", "Mono.Posix.NETStandard": "MIT", "Tomlyn": "BSD-2-Clause", "libc6-dev": "LGPL-2.1-or-later",
  "libc6-dev-arm64-cross": "LGPL-2.1-or-later"
}[.] // (if test("Microsoft\\.") then "MIT" else "NOASSERTION" end);

def package($id; $name; $version; $from): {
  SPDXID: "SPDXRef-\($id)", name: $name, versionInfo: $version, downloadLocation: "NOASSERTION", filesAnalyzed: false,
  licenseConcluded: "NOASSERTION", licenseDeclared: ($name | licence), copyrightText: "NOASSERTION",
  externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: "pkg:\($from)/\($name)@\($version | @uri)"}]
};

# The runtime that is linked in is downloaded beside the packages that the project names; its compiler is a package of the latter.
def runtime: [.project.frameworks[].downloadDependencies[] | select(.name | test("NativeAOT"))
  | {name, version: (.version | ltrimstr("[") | split(",")[0])}] | unique;

def libraries: [.libraries | to_entries[] | (.key | split("/")) as [$name, $version]
  | {name: $name, version: $version, sha512: .value.sha512}];

# Those that work only while it is compiled.
def is_tool: .name | test("ILCompiler|ILLink");

def identify: .name | gsub("[^A-Za-z0-9.-]"; "-");

(libraries | map(select(is_tool | not))) as $contained | (libraries | map(select(is_tool))) as $tools | runtime as $runtime
| {
  spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: "ocirun-\($version)-\($architecture)",
  documentNamespace: "https://ocirun.invalid/spdx/\($version)/\($architecture)/\($checksum)",
  creationInfo: {created: $created, creators: ["Tool: build.sh-\($version)"]},
  packages: ([package("ocirun"; "ocirun"; $version; "generic") + {
      licenseDeclared: "Apache-2.0", sourceInfo: "git commit \($commit)", checksums: [{algorithm: "SHA256", checksumValue: $checksum}]
    }]
    + ($contained + $tools + $runtime | map(package(identify; .name; .version; "nuget")))
    + ($system | map(package(identify; .name; .version; "deb/debian")))),
  relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-ocirun"}]
    + ($contained + $runtime + $system | map({spdxElementId: "SPDXRef-ocirun", relationshipType: "CONTAINS", relatedSpdxElement: "SPDXRef-\(identify)"}))
    + ($tools | map({spdxElementId: "SPDXRef-\(identify)", relationshipType: "BUILD_TOOL_OF", relatedSpdxElement: "SPDXRef-ocirun"})))
}
