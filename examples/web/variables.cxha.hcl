# What differs from one installation to the next. Values go into a file such as site.auto.cxhavars beside this one.

variable "ssh" {
  description = "How the hosts are reached. Without a key, the SSH agent's keys are used."
  type = object({
    user        = optional(string, "ops")
    port        = optional(number, 22)
    key         = optional(string)
    known_hosts = optional(string)
    bastion = optional(object({
      address = string
      port    = optional(number, 22)
      user    = optional(string)
      key     = optional(string)
    }))
  })
  default = {}
}

variable "install" {
  description = "Where RKE2 comes from. Point both at a mirror for a site without internet."
  type = object({
    script    = optional(string, "https://get.rke2.io")
    artifacts = optional(string)
  })
  default = {}
}

variable "extra_workers" {
  description = "Workers besides w1 and w2, by name."
  type = map(object({
    address = string
    site    = string
  }))
  default = {}
}

variable "charts" {
  description = "A repository that holds the charts of this blueprint. Without it, each comes from where its project publishes it."
  type = object({
    repository = optional(string)
    registry   = optional(string)
  })
  default = {}
}
