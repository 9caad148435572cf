variable "name" {
  type        = string
  description = "The budget's name; also the value of the tag Platform by which costs are told apart."
}

variable "monthly_usd" {
  type        = number
  description = "What a month may cost, in US dollars."
  validation {
    condition     = var.monthly_usd > 0
    error_message = "More than nothing."
  }
}

variable "topic_arn" {
  type        = string
  description = "The topic that hears of it."
}
