Tuple{typeof(Base.sort), Int64}
