cluster "cx" {
  version  = "v1.35.7+rke2r1"
  endpoint = "cp.cx.internal"
}

site "a" {
  subnets = ["10.10.1.0/24"]
}

site "b" {
  subnets = ["10.10.2.0/24"]
}

control_plane "cp1" {
  address = "10.10.1.10"
  site    = site.a
}

worker "w1" {
  address = "10.10.1.11"
  site    = site.a
}
