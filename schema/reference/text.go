package reference

// opening is the part of the reference that no table holds.
const opening = `# The language of blueprints

<!-- Written from the schema by "make docs". Edit schema/shapes*.go and schema/reference/text.go instead. -->

A blueprint is a directory of files that end with ` + "`.cxha.hcl`" + `. Together they describe one cluster: how they are cut into files, and
in which order they are read, makes no difference. Subdirectories and hidden files do not belong to it.

The syntax is HCL: blocks, attributes, expressions. A block that is written on one line can hold one attribute; one with more takes a
line for each. Every mistake in all files is reported in one run.

## References and expressions

A value can refer to other things of the blueprint:

| reference | what it is |
|---|---|
| ` + "`var.NAME`" + ` | the value of a variable |
| ` + "`local.NAME`" + ` | the value of a local |
| ` + "`cluster.NAME`, `site.NAME`, `control_plane.NAME`, `worker.NAME`, `standby.NAME`" + ` | a block, with its attributes: ` + "`worker.w1.address`" + `; defaults are filled in |
| ` + "`load_balancer.KIND`, `ingress.KIND`, `storage.KIND`, `helm_release.NAME`, `manifest.NAME`, `kustomization.NAME`" + ` | likewise: ` + "`storage.nfs.class`" + ` |
| ` + "`worker.NAME[\"key\"]`" + ` | one of the blocks that ` + "`for_each`" + ` made |
| ` + "`worker`" + ` | an object of all blocks of the type, by name |
| ` + "`each.key`, `each.value`" + ` | inside a block with ` + "`for_each`" + `: its element |

Beside its attributes a block has ` + "`id`" + `, its address as plans write it (` + "`worker.w1`" + `). Blocks may stand in any order; only a circle of references is
refused.

Expressions are HCL's: ` + "`\"${local.zone}\"`" + ` puts a value into a text, ` + "`a ? b : c`" + ` chooses, ` + "`[for w in worker : w.address]`" + ` and
` + "`{ for k, v in var.map : k => upper(v) }`" + ` make lists and objects, ` + "`worker.extra[*]`" + ` and indexes pick elements.

A value can be sensitive: because its variable is, because its attribute always is, or by ` + "`sensitive(...)`" + `. Whatever is computed from it
is sensitive as well, and never shown. An attribute that plans show refuses it.

## Values of variables

A later source wins over an earlier one:

1. the variable's ` + "`default`" + `
2. the environment variable ` + "`CXHA_VAR_NAME`" + `
3. files ` + "`*.auto.cxhavars`" + ` in the blueprint's directory, in the order of their names
4. files named by ` + "`--var-file FILE`" + `, in order
5. ` + "`--var NAME=VALUE`" + `, in order

A file of values has lines ` + "`NAME = VALUE`" + `. A value from the environment or from ` + "`--var`" + ` is taken literally if the variable is a string, a number, a
bool or has no type; for other types it is written as in a blueprint: ` + "`--var 'extra_workers={w3={address=\"10.10.1.12\",site=\"a\"}}'`" + `.
`

const chartsText = "These blocks install the chart of this table unless `chart`, `repository`, `version` or `namespace` say otherwise, each for itself: a mirror needs only `repository`."

const lockText = `What was agreed on stands in ` + "`cxha.lock.hcl`" + ` beside the blueprint: RKE2's version, and the digest of every chart that the blueprint names, so that a
plan which was reviewed means the same bytes next month. ` + "`cxha lock`" + ` writes the file; keep it under version control. A plan with another version or another
digest is an error.

` + "```hcl" + `
rke2 = "v1.35.7+rke2r1"

chart "metallb" {
  repository = "https://metallb.github.io/metallb"
  version    = "0.16.1"
  digest     = "sha256:..."
}

chart "./charts/cx" {
  digest = "sha256:..."
}
` + "```" + `

The label is the chart as the blueprint names it; a local chart's is its path from the blueprint's directory, and its digest that of the archive, or of the
directory's files.`

const functionsText = "All are pure, except that `env`, `file` and `templatefile` read something. A sensitive argument makes the result sensitive."
