# Where jobs run. EMR Serverless has no spot capacity: what comes near it is paying for nothing while nothing runs (no warm workers, an early
# stop), and Graviton.

resource "aws_emrserverless_application" "this" {
  name          = var.name
  release_label = var.release_label
  type          = "SPARK"
  architecture  = var.architecture

  image_configuration {
    image_uri = var.image
  }

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.idle_minutes
  }

  maximum_capacity {
    cpu    = "${var.max_vcpus} vCPU"
    memory = "${var.max_memory_gb} GB"
    disk   = "${var.max_disk_gb} GB"
  }

  dynamic "initial_capacity" {
    for_each = var.warm_executors == 0 ? {} : { Driver = 1, Executor = var.warm_executors }
    content {
      initial_capacity_type = initial_capacity.key
      initial_capacity_config {
        worker_count = initial_capacity.value
        worker_configuration {
          cpu    = "4 vCPU"
          memory = "16 GB"
          disk   = "50 GB"
        }
      }
    }
  }

  network_configuration {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  # Nobody opens a shell on the pipeline's role.
  interactive_configuration {
    livy_endpoint_enabled = false
    studio_enabled        = false
  }

  lifecycle {
    # The first image is named here; later ones come with a release, and going back to one is the same command.
    ignore_changes = [image_configuration]
  }
}
