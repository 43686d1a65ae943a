# A web application that outlives the loss of a worker: behind an address of MetalLB, on workers at two sites.

cluster "web" {
  version  = "v1.35.7+rke2r1"
  endpoint = "cp.web.internal" # the name agents use; cxha keeps it in every node's hosts file
  ssh      = var.ssh
  install  = var.install
}

# 10.10.3.0/24 is one segment over both sites: an address there can move from a worker of one site to one of the other.
site "a" {
  subnets = ["10.10.1.0/24", "10.10.3.0/24"]
}

site "b" {
  subnets = ["10.10.2.0/24", "10.10.3.0/24"]
}

control_plane "cp1" {
  address     = "10.10.1.10"
  site        = site.a
  schedulable = false

  config = {
    kube-apiserver-arg = [ # pods of a dead worker are replaced after a minute, not after five
      "default-not-ready-toleration-seconds=60",
      "default-unreachable-toleration-seconds=60",
    ]
  }
}

worker "w1" {
  address = "10.10.1.11"
  site    = site.a
}

worker "w2" {
  address = "10.10.2.11"
  site    = site.b
}

worker "extra" {
  for_each = var.extra_workers
  address  = each.value.address
  site     = each.value.site
}

load_balancer "metallb" {
  repository = var.charts.repository

  pool "web" {
    addresses = ["10.10.3.50-10.10.3.59"]
  }

  l2 "web" {
    pools = ["web"]
  }
}

manifest "web" {
  files      = ["web.yaml"]
  depends_on = [load_balancer.metallb]
}

check "both_sites" {
  condition     = worker.w1.site != worker.w2.site
  error_message = "w1 and w2 stand at one site, so the loss of that site would stop everything. Put one at each."
}

output "web" {
  value = "http://10.10.3.50"
}
