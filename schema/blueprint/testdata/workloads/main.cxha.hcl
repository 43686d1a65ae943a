cluster "cx" {
  version = "v1.35.7+rke2r1"
}

site "a" {
  subnets = ["10.10.1.0/24"]
}

control_plane "cp1" {
  address = "10.10.1.10"
  site    = site.a
}

worker "w1" {
  address = "10.10.1.11"
  site    = site.a
}

worker "w2" {
  address = "10.10.1.12"
  site    = site.a
}

load_balancer "metallb" {
  values = { a = { b = 1 } }
  pool "first-pool" {
    addresses = ["10.10.1.50/32", "10.10.1.60-10.10.1.69"]
  }
  pool "second-pool" {
    addresses   = ["10.10.1.70"]
    auto_assign = false
  }
  l2 "example" {
    pools = ["first-pool"]
    nodes = [worker.w1, worker.w2]
  }
  bgp "routers" {
    pools = ["second-pool"]
    peers = ["router"]
  }
  peer "router" {
    address = "10.10.1.1"
    asn     = 64501
    my_asn  = 64500
  }
}

ingress "traefik" {
  address        = "10.10.1.50"
  traffic_policy = "Local"
}

storage "nfs" {
  server  = "10.10.1.254"
  path    = "/export/cx"
  default = true
}

helm_release "cx" {
  chart      = "oci://registry.cx.internal/charts/cx"
  version    = "1.4.2"
  namespace  = "expertflow"
  values     = { a = storage.nfs.class, b = ingress.traefik.address }
  depends_on = [load_balancer.metallb, manifest.policies]
  timeout    = "20m"
}

manifest "policies" {
  files     = ["policies.yaml"]
  namespace = "expertflow"
  keep      = true
}
