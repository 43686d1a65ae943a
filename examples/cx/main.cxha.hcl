# The whole Worker HA guide: one control plane, workers at two sites, a load balancer, an ingress controller, storage, and a workload.

cluster "cx" {
  version  = "v1.35.7+rke2r1"
  endpoint = "cp.cx.internal" # the name agents use; cxha keeps it in every node's hosts file
  ssh      = var.ssh
  install  = var.install
}

site "a" {
  subnets = ["10.10.1.0/24", "10.10.3.0/24"] # the second one reaches over both sites
}

site "b" {
  subnets = ["10.10.2.0/24", "10.10.3.0/24"]
}

control_plane "cp1" {
  address     = "10.10.1.10"
  site        = site.a
  schedulable = false # taint, and no workload pods: steps 7 and 8 of the guide

  file "/etc/profile.d/rke2.sh" { # kubectl for whoever logs in
    content = "export PATH=$PATH:/var/lib/rancher/rke2/bin KUBECONFIG=/etc/rancher/rke2/rke2.yaml\n"
  }
}

worker "w1" {
  address = "10.10.1.11"
  site    = site.a
  labels  = local.labels
}

worker "w2" {
  address = "10.10.2.11"
  site    = site.b
  labels  = local.labels
}

worker "extra" {
  for_each = var.extra_workers
  address  = each.value.address
  site     = each.value.site
  labels   = local.labels
}

# Step 2 of the guide. The address lies in the network that both sites share, in which every worker has an address of its own. It must
# be free; cxha asks by ARP before it makes the pool.
load_balancer "metallb" {
  repository = var.charts.repository

  pool "first-pool" {
    addresses = ["10.10.3.50/32"]
  }

  l2 "example" {
    pools = ["first-pool"]
    nodes = [worker.w1, worker.w2]
  }
}

# Step 3 of the guide.
ingress "nginx" {
  repository = var.charts.repository
  address    = "10.10.3.50"
  values     = { controller = { allowSnippetAnnotations = true } }
}

# Each worker mounts the export, writes, renames, syncs and locks a file there before the class is made.
storage "nfs" {
  repository = var.charts.repository
  server     = "10.10.1.60"
  path       = "/export/cx"
  default    = true
}

# The workload. This is the sandbox's small chart; yours takes its place.
helm_release "cx" {
  chart      = "cx"
  repository = var.charts.repository
  version    = "1.0.0"
  namespace  = "expertflow"
  values     = { greeting = "hello" }
  depends_on = [ingress.nginx, storage.nfs]
}

locals {
  labels = { "cx.example/tier" = "app" }
}

check "both_sites" {
  condition     = worker.w1.site != worker.w2.site
  error_message = "w1 and w2 stand at one site, so the loss of that site would stop everything. Put one at each."
}

output "api" {
  value = "https://${cluster.cx.endpoint}:6443"
}
