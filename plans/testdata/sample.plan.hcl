# A plan of cxha. It says what would change, and is made to be read and approved by people. Nobody has to edit it.
#
#   cxha apply THIS-FILE
#
# looks at the machines again and does exactly what is written here. Where the machines or the blueprint have changed since,
# it does nothing and says what differs.

format    = 1
cluster   = "cx"
blueprint = "../blueprint"

summary {
  create    = 1
  update    = 3
  replace   = 0
  delete    = 1
  unknown   = 1
  unchanged = 1
}

change "worker.w3/rke2.drop_in[\"90-old.yaml\"]" {
  action   = "delete"
  host     = "w3"
  code     = "removed"
  reason   = "made by cxha, no longer in the blueprint"
  observed = "sha256:8eaf188d56edd7cda4e2efcb0bac69a5"
  planned  = "absent"

  before = {
    content = "debug: true\n"
  }
}

change "control_plane.cp1/rke2.token" {
  action   = "create"
  host     = "cp1"
  code     = "absent"
  reason   = "not there"
  observed = "absent"

  after = {
    agent_token  = "(sensitive 2aa8cb28aaecba2b)"
    server_token = known_after_apply
  }
}

change "control_plane.cp1/rke2.config" {
  action   = "update"
  host     = "cp1"
  code     = "drift"
  reason   = "options.tls-san differs"
  observed = "sha256:3ddc2a963e981cdbb504d60d433c201a"
  planned  = "sha256:c37d0826da470696c8943de4e51d3e52"
  requires = ["control_plane.cp1/rke2.token"]

  before = {
    "options.tls-san" = ["cp.cx.internal"]
  }

  after = {
    "options.tls-san" = [
      "cp.cx.internal",
      "10.10.1.10",
      "10.10.1.100",
      "kubernetes.example.org",
      "another.name.example.org",
    ]
  }
}

change "worker.w1/host.file[\"/etc/motd\"]" {
  action   = "update"
  host     = "w1"
  code     = "drift"
  reason   = "content, owner differ"
  observed = "sha256:37b459c263f1df254c884d32971dba58"
  planned  = "sha256:e5bc8fecaca424ee6f60a3ff849c3b85"

  before = {
    content = "hello\n"
    note    = <<-EOT
      two
      lines
      EOT
  }

  after = {
    content = <<-EOT
      hello $${name}

        you are on "w1"
      EOT
    note = chomp(<<-EOT
      two
      lines
      EOT
    )
    owner = "root:root"
  }
}

change "worker.w1/kube.labels" {
  action   = "update"
  host     = "w1"
  code     = "drift"
  reason   = "labels differ"
  observed = "sha256:e78a8c9c3ad8e36ef92a37cdefbef207"
  planned  = "sha256:aaa8e7fc9e66ed4e21f339117fad354b"

  before = {
    "labels[\"old\"]"                         = "y"
    "labels[\"topology.kubernetes.io/zone\"]" = "a"
  }

  after = {
    "labels[\"topology.kubernetes.io/zone\"]" = "b"
  }
}

unknown "worker.w2/rke2.config" {
  host   = "w2"
  code   = "unreachable"
  reason = "host w2 did not answer"
}
