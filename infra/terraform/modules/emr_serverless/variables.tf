variable "name" {
  type        = string
  description = "The application's name."
}

variable "release_label" {
  type        = string
  description = "EMR's release: Spark 4.0.2 and Delta 4.0.1, which requirements/constraints.txt pins."
  default     = "emr-spark-8.0"
  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+(\\.[0-9]+){1,2}(-preview)?$", var.release_label))
    error_message = "A release of EMR, as emr-spark-8.0."
  }
}

variable "image" {
  type        = string
  description = "The image by digest: <repository>@sha256:<64 digits>. A tag would let two nights run different code."
  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/.+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image of ECR by digest: <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<64 digits>."
  }
}

variable "architecture" {
  type        = string
  description = "X86_64, or ARM64 (Graviton), which costs a fifth less where the image was built for it."
  default     = "X86_64"
  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "max_vcpus" {
  type        = number
  description = "vCPUs that all jobs together may have at once."
  validation {
    condition     = var.max_vcpus >= 4 && var.max_vcpus <= 4000
    error_message = "4 to 4000."
  }
}

variable "max_memory_gb" {
  type        = number
  description = "Memory that all jobs together may have at once, in GB."
  validation {
    condition     = var.max_memory_gb >= 8
    error_message = "At least 8."
  }
}

variable "max_disk_gb" {
  type        = number
  description = "Disk that all jobs together may have at once, in GB."
  default     = 2000
}

variable "idle_minutes" {
  type        = number
  description = "Minutes without a job after which the application stops."
  default     = 15
  validation {
    condition     = var.idle_minutes >= 1 && var.idle_minutes <= 60
    error_message = "1 to 60."
  }
}

variable "warm_executors" {
  type        = number
  description = "Executors that wait for jobs, and cost while they wait. 0: a night waits two minutes instead."
  default     = 0
  validation {
    condition     = var.warm_executors >= 0 && var.warm_executors <= 50
    error_message = "0 to 50."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets."
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "At least two, in different zones: a zone may have no room for a night."
  }
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups of drivers and executors."
}
